#!/bin/sh
# Writes requirements/*.txt from requirements/*.in. All of them are solved together first, so that any of them can be
# installed beside any other. Versions already pinned stay, unless an argument such as --upgrade asks for newer ones.
set -eu
cd "$(dirname "$0")/.."
pinned=build/pinned.txt

compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
        --no-header --no-annotate --no-emit-index-url "$@"
}

lock() {
    output=requirements/$1.txt
    shift
    echo "$output"
    compile --generate-hashes --constraints $pinned --output-file "$output" "$@"
}

mkdir -p build
cat requirements/*.txt >$pinned
compile "$@" --output-file $pinned requirements/*.in

in=requirements
lock verify $in/verify.in
lock client $in/verify.in $in/client.in
lock gateway $in/verify.in $in/client.in $in/gateway.in
lock worker $in/verify.in $in/client.in $in/worker.in
lock torch $in/torch.in
lock dev $in/dev.in
lock go $in/go.in
lock pip $in/pip.in
lock uv $in/uv.in
