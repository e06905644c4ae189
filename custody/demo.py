"""custody demo: a whole consortium on this machine, from the first key to evidence that verifies without it.

Everything runs for real, in its own process, on loopback; what is told at the end is read back from the ledger.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from custody.bytechange import one_byte_changed
from custody.consortium import MODEL, Consortium
from custody.processes import ProcessFailed, custody, write_json

HERE = Path(__file__).resolve().parent.parent
SAMPLE, SAMPLE_PIN = HERE / "docs" / "sample.zip", HERE / "docs" / "sample.pin.json"
SAMPLE_KEY = HERE / "docs" / "sample.auditor.pem"  # published: everyone is the sample's auditor
INSTALL_TORCH = HERE / "setup" / "install_torch.py"
HYPERPARAMETERS: dict[str, int | str] = {
    "batch_size": 32,
    "learning_rate_micro": 100_000,
    "local_epochs": 5,
    "optimizer": "sgd",
    "seed": 7,
}
INTERNALLY_CONSISTENT = 3
RECOMPUTED = re.compile(r"PASS +recompute +([0-9]+)")
LINE = "─" * 78
LIVE_BEFORE = 2  # the version that the two people go back to


@dataclass
class Story:
    """What happened, as the ledger tells it, and how long each part took."""

    facts: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str, what: str) -> Iterator[None]:
        print(f"\n● {what}", flush=True)
        begun = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - begun, 2)


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    story = Story()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _play(options, story)
    except KeyboardInterrupt:
        print("\nstopped; nothing is left running. `make demo` starts afresh.", file=sys.stderr)
        return 130
    except ProcessFailed as error:
        print(f"\ncustody demo: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("custody demo", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("var/demo"), help="emptied first, left for you to look at")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7, help="of the data's split")
    return parser


def _play(options: argparse.Namespace, story: Story) -> int:
    folder = _emptied(options.dir)
    with _torch_arriving() as torch:
        if SAMPLE.exists():
            with story.part("sample", "While the rest arrives: evidence from an earlier run, checked offline"):
                _show_sample(folder)
        with story.part("ledger", "The ledger, a Go program"):
            _build_ledger()
        with story.part("torch", "PyTorch, for the sites that train"):
            _wait_for(torch)
    consortium = Consortium(folder, sites=2, seed=options.seed)
    with consortium.running():
        with story.part("setup", "Two organisations, their people, two sites, a validator and an auditor"):
            set_up(consortium)
        with story.part("training", f"{options.rounds} rounds on handwritten digits; the ledger judges each version"):
            train(consortium, options.rounds)
        with story.part("rollback", "Going back one version: asked by olga (Org1), approved by paul (Org2), two keys"):
            story.facts["rollback"] = roll_back(consortium)
        with story.part("evidence", "The evidence, exported and checked offline, every version recomputed"):
            story.facts["recomputed"] = _export_and_verify(consortium)
        story.facts |= facts_of(consortium)
    _tell(story, folder)
    return 0


# --- before anything heavy


def _emptied(folder: Path) -> Path:
    """A demo of its own each time; only a folder that an earlier demo made is emptied."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "demo").exists():
            raise ProcessFailed(f"{folder} holds something that is not a demo: name another with --dir, or empty it")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "demo").touch()
    return folder


@contextmanager
def _torch_arriving() -> Iterator[subprocess.Popen[str]]:
    """The installer runs beside the first part; its own lines are shown once its turn comes."""
    with subprocess.Popen([sys.executable, str(INSTALL_TORCH)], stdout=subprocess.PIPE, text=True, bufsize=1) as torch:
        try:
            yield torch
        finally:
            if torch.poll() is None:
                torch.send_signal(signal.SIGINT)


def _build_ledger() -> None:
    """After the sample, so that a newcomer sees something before the compiler has run."""
    if subprocess.run(["make", "--no-print-directory", "build/custody-ledger"], cwd=HERE, check=False).returncode != 0:
        raise ProcessFailed("the ledger was not built (the reason is above); `make demo` goes on from there")


def _wait_for(torch: subprocess.Popen[str]) -> None:
    assert torch.stdout is not None
    for line in torch.stdout:
        print(f"  {line.rstrip()}", flush=True)
    if torch.wait() != 0:
        raise ProcessFailed("torch could not be installed (its own words are above); `make demo` goes on from there")


def _show_sample(folder: Path) -> None:
    key = folder / SAMPLE_KEY.name
    key.touch(0o600)
    key.write_bytes(SAMPLE_KEY.read_bytes())
    _shown("verify", SAMPLE, "--trust", SAMPLE_PIN, "--keys", key, expected=0)
    changed = folder / "sample-with-one-byte-changed.zip"
    where = one_byte_changed(SAMPLE, changed)
    print(f"  … and with one byte changed in {where}:")
    _shown("verify", changed, "--trust", SAMPLE_PIN, expected=1)


def _shown(*arguments: str | Path, expected: int) -> str:
    """Run a command where everyone can see it; an exit code other than the expected one ends the demo."""
    print("  $ custody " + " ".join(map(str, arguments)), flush=True)
    done = subprocess.run(custody(*arguments), check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print("\n".join(f"    {line}" for line in done.stdout.splitlines()), flush=True)
    if done.returncode != expected:
        raise ProcessFailed(f"custody {arguments[0]} ended with {done.returncode}, expected {expected}")
    return done.stdout


# --- the consortium


def set_up(consortium: Consortium) -> None:
    consortium.start("ledger")
    consortium.enroll_people()
    consortium.prepare_data()
    consortium.make_gateway_keys()
    consortium.start("gateway")
    consortium.create_model()
    consortium.admit_sites()
    for name in ["validator", *consortium.site_names]:
        consortium.start(name)


def train(consortium: Consortium, rounds: int) -> None:
    consortium.start_training(rounds, HYPERPARAMETERS)
    for number in range(1, rounds + 1):
        version = consortium.until(f"version {number} decided", lambda: consortium.decided(number))  # noqa: B023
        print(f"  version {number}: {version['score'] / 100:.2f} % on the probe → {version['decision']}", flush=True)
    consortium.until("the newest version live", lambda: consortium.live_number() == rounds)


def roll_back(consortium: Consortium) -> dict[str, Any]:
    """Two people, two organisations, two keys: neither the gateway nor one of them alone can do it."""
    asked = consortium.command("rollback", "request", MODEL, "--to", str(LIVE_BEFORE), "--reason-code", "data_quality",
                               person="olga")  # fmt: skip
    request = asked.split("asked: ")[1].split()[0]
    consortium.command("rollback", "approve", MODEL, request, person="paul")
    begun = time.monotonic()
    consortium.command("rollback", "execute", MODEL, request, person="olga")
    seq = consortium.pointer()["seq"]
    acks = consortium.until("every site has acknowledged", lambda: consortium.acknowledged(seq))
    seconds = round(time.monotonic() - begun, 2)
    print(f"  version {LIVE_BEFORE} is live again; all {len(acks)} sites confirmed what they hold after {seconds} s")
    return {"request": request, "seq": seq, "acks": len(acks), "seconds_to_effective": seconds}


def _export_and_verify(consortium: Consortium) -> int:
    """How many versions the verifier recomputed."""
    bundle, pin, key = consortium.root / "evidence.zip", consortium.root / "pin.json", consortium.auditor_key
    consortium.pin_head(pin)
    consortium.export(bundle)
    verdict = _shown("verify", bundle, "--trust", pin, "--keys", key, expected=0)
    print("  … without a head that was pinned before, one process could have made it all up:")
    _shown("verify", bundle, "--keys", key, expected=INTERNALLY_CONSISTENT)
    changed = consortium.root / "evidence-with-one-byte-changed.zip"
    print(f"  … and with one byte changed in {one_byte_changed(bundle, changed)}:")
    _shown("verify", changed, "--trust", pin, "--keys", key, expected=1)
    recomputed = RECOMPUTED.search(verdict)
    return int(recomputed[1]) if recomputed else 0


# --- what happened


def facts_of(consortium: Consortium) -> dict[str, Any]:
    chain = consortium.door.chain()
    versions = consortium.versions()
    return {
        "model": MODEL,
        "versions": len(versions),
        "rounds": consortium.door.state(f"round/{MODEL}/head")["number"],
        "live": consortium.live_number(),
        "accuracy_bp": {str(v["number"]): v["score"] for v in versions if "score" in v},
        "blocks": chain.height + 1,
        "ledger": chain.kind,
        "genesis": chain.genesis,
        "head": chain.head,
        "bundle": str(consortium.root / "evidence.zip"),
    }


def _tell(story: Story, folder: Path) -> None:
    facts, rollback = story.facts, story.facts["rollback"]
    write_json(folder / "summary.json", {**facts, "seconds_by_phase": story.seconds})
    accuracy = ", ".join(f"{score / 100:.1f} %" for score in facts["accuracy_bp"].values())
    print(f"""
{LINE}
Two sites trained {facts["rounds"]} rounds ({accuracy}) and shared no data.
olga asked to go back, paul agreed, and {rollback["seconds_to_effective"]} s later
version {facts["live"]} was live at both sites.
{facts["blocks"]} blocks hold it all. Recomputed bit for bit: {facts["recomputed"]} of {facts["versions"] - 1} versions.
One byte changed: refused.

Look around in {folder}: evidence.zip, summary.json, logs/.
Next:  custody verify {folder}/evidence.zip --trust {folder}/pin.json --keys {folder}/auditor/sealing.pem --json
{LINE}""")
