# up: from nothing, or from whatever stopped, to a channel that orders and peers that know each other.

up() {
    local node
    for node in peer orderer cryptogen configtxgen osnadmin; do fabric "$node" >/dev/null; done
    refuse_taken_ports
    mkdir -p "$state/nodes"
    keep_settings
    make_crypto
    refuse_stale_crypto
    make_channel
    # shellcheck disable=SC2046
    {
        for node in $(orderer_nodes); do start_orderer "$node"; done
        for node in $(peer_nodes); do start_peer "$node"; done
        at_once await_health $(orderer_nodes) $(peer_nodes)
        at_once join_orderer $(orderer_nodes) &
        at_once join_peer $(peer_nodes)
        wait $!
        await_leader
        at_once await_company $(peer_nodes)
    }
    say "the channel $channel runs; its genesis hash is $(cat "$state/genesis")"
}

refuse_taken_ports() {
    local taken
    taken=$(foreign_ports)
    [ -z "$taken" ] || fail "something else listens on $taken. Choose other ports: --base PORT"
}

# foreign_ports: those of nodes that do not run, and that something listens on all the same.
foreign_ports() {
    local node wanted=""
    for node in $(orderer_nodes) $(peer_nodes); do
        runs "$node" || wanted="$wanted $(port_of "$node" service) $(port_of "$node" admin) $(port_of "$node" operations)"
    done
    # shellcheck disable=SC2086
    network_tool taken $wanted | paste -sd' ' -
}
