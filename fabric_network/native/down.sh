# down: stop what this network started, and nothing else; with --erase, forget it too.

down() {
    local home nodes=""
    for home in "$state"/nodes/*/; do
        [ -d "$home" ] && nodes="$nodes $(basename "$home")"
    done
    # shellcheck disable=SC2086
    [ -z "$nodes" ] || at_once stop $nodes
    if [ -n "$erase" ]; then
        network_exists || fail "$state is no network's folder, so nothing in it is erased"
        rm -rf "$state"
    fi
}
