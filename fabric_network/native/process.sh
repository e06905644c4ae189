# Processes of the network. One is known by its id and the moment it began, so that an id which was given out again is
# never taken for ours.

home_of() { echo "$state/nodes/$1"; }

pid_of() { sed -n 1p "$(home_of "$1")/process" 2>/dev/null; }

began() { ps -o lstart= -p "$1" 2>/dev/null; }

runs() {
    local pid
    pid=$(pid_of "$1") && [ -n "$pid" ] || return 1
    case $(ps -o stat= -p "$pid" 2>/dev/null) in "" | Z*) return 1 ;; esac
    [ "$(began "$pid")" = "$(sed -n 2p "$(home_of "$1")/process")" ]
}

# start NODE VARIABLE=VALUE... COMMAND...: in a process group of its own, which Ctrl-C here does not reach.
start() {
    local node=$1 home pid
    shift
    home=$(home_of "$node")
    set -m
    env "$@" </dev/null >>"$home/log" 2>&1 &
    pid=$!
    set +m
    printf '%s\n%s\n' "$pid" "$(began "$pid")" >"$home/process"
}

stop() {
    local pid
    runs "$1" || return 0
    pid=$(pid_of "$1")
    kill -TERM "$pid"
    if ! network_tool gone "$pid" 2>/dev/null; then
        say "$1 did not end by itself and is killed"
        kill -KILL "$pid"
        network_tool gone "$pid"
    fi
}

explain_end() { tail -n 5 "$(home_of "$1")/log" 2>/dev/null | sed "s/^/    $1: /" >&2; }
