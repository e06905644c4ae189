# certs: the days that every certificate has left, the next to end first.

certs() {
    network_exists || fail "there is no network in $state yet: network.sh up"
    network_tool certs "$state/crypto" "$state/nodes"
}
