.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV_PYTHON := .venv/bin/python
GO := $(PYTHON) setup/run_go.py

PARTS := $(wildcard custody sealed gateway fl_worker verifier tests)
GO_FOLDERS := $(wildcard chaincode fabric_network tests)
LEDGER_SOURCES := go.mod $(wildcard go.sum) $(shell find chaincode fabric_network -type f ! -name '*_test.go' 2>/dev/null)

.PHONY: help
help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: python
python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Custody needs Python 3.11 or newer. Where it has another name: make PYTHON=python3.12 …'; exit 1; }

.PHONY: packages
packages: python
	@$(PYTHON) setup/install_light.py

build/custody-ledger: $(LEDGER_SOURCES) | packages
	@echo 'building the ledger'
	@CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./fabric_network/rest/embedded/cmd/custody-ledger || { \
		echo 'The ledger was not built; the reason is above. After a failed download: make setup-light'; exit 1; }

.PHONY: setup-light
setup-light: packages build/custody-ledger ## make .venv and the ledger; everything but torch

.PHONY: setup
setup: setup-light torch ## everything, with torch (3.0 GB to download; TORCH_INDEX and CUSTODY_TORCH say otherwise)

.PHONY: torch
torch: packages
	@$(PYTHON) setup/install_torch.py

.PHONY: demo
demo: packages ## a whole consortium on this machine: training, a two-person rollback, the evidence
	@$(VENV_PYTHON) -m custody demo

.PHONY: sample
sample: setup ## write docs/sample.zip, an evidence bundle to try `custody verify` on
	@$(VENV_PYTHON) -m custody sample

.PHONY: check lint
check: torch ## formatting, lint and types of Python and Go; any warning fails
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy $(PARTS)
	.venv/bin/mypy setup/*.py
	$(GO) vet ./...
	@unformatted=$$("$$($(GO) env GOROOT)/bin/gofmt" -l $(GO_FOLDERS)) && test -z "$$unformatted" || { \
		echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
lint: check

.PHONY: test
test: setup ## every test, campaigns sampled (under ten minutes)
	@$(VENV_PYTHON) -m tests.go_tests ./...
	@CUSTODY_GO_OUTCOME=build/go-tests.json $(VENV_PYTHON) -m pytest

.PHONY: test-full
test-full: export CUSTODY_FULL := 1
test-full: test ## every test, campaigns in full; those that passed since the last change are not run again

FABRIC_PROGRAMS := build/custody-network build/custody-chaincode build/custody-fabric-door

.PHONY: fabric-programs fabric-test
fabric-programs: $(FABRIC_PROGRAMS) ## build what network.sh needs beside Fabric's own programs

build/custody-network: $(LEDGER_SOURCES) | packages
	@CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./fabric_network/cmd/custody-network

build/custody-chaincode: $(LEDGER_SOURCES) | packages
	@CGO_ENABLED=0 $(GO) -C chaincode/peer build -trimpath -o $(CURDIR)/$@ .

build/custody-fabric-door: $(LEDGER_SOURCES) | packages
	@CGO_ENABLED=0 $(GO) -C fabric_network/rest/fabric build -trimpath -o $(CURDIR)/$@ ./cmd/custody-fabric-door

fabric-test: setup-light fabric-programs ## real Fabric from FABRIC_BIN or the PATH, twice from nothing
	$(GO) -C chaincode/peer vet ./...
	$(GO) -C fabric_network/rest/fabric test ./...
	CUSTODY_FABRIC_TEST=1 $(VENV_PYTHON) -m pytest -s tests/fabric

.PHONY: requirements
requirements: packages ## write requirements/*.txt anew (UPGRADE=--upgrade takes newer versions)
	@$(VENV_PYTHON) -m pip install --quiet --require-hashes -r requirements/uv.txt
	@setup/lock_requirements.sh $(UPGRADE)

.PHONY: clean
clean: ## remove what was built and cached, but not .venv
	rm -rf build .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## also remove .venv, and var with what ledgers and demos kept there
	rm -rf .venv var
