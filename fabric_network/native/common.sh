# Words that every verb uses.

# Without the colours that Fabric puts into a file, too.
log_format='%{time:2006-01-02T15:04:05.000Z07:00} %{level} [%{module}] %{message}'

say() { echo "$*"; }

fail() {
    echo "network.sh: $*" >&2
    exit 1
}

# fabric NAME: the path of one of Fabric's programs.
fabric() {
    if [ -n "${FABRIC_BIN:-}" ]; then
        [ -x "$FABRIC_BIN/$1" ] && echo "$FABRIC_BIN/$1"
    else
        command -v "$1"
    fi || fail "$1 is not in ${FABRIC_BIN:-the PATH}. Point FABRIC_BIN at the folder with Fabric's programs"
}

# custody NAME: the path of one of our own programs.
custody() {
    [ -x "$custody_bin/$1" ] || fail "$1 is not in $custody_bin. Build it: make build/$1"
    echo "$custody_bin/$1"
}

network_tool() {
    local tool
    tool=$(custody custody-network)
    "$tool" "$@"
}

# at_once VERB WORD...: the verb for every word, all at the same time; fails when one of them fails.
at_once() {
    local verb=$1 word pid pids="" failed=0
    shift
    for word; do
        "$verb" "$word" &
        pids="$pids $!"
    done
    for pid in $pids; do wait "$pid" || failed=1; done
    return $failed
}
