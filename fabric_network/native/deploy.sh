# deploy: the chaincode that is built now becomes the one that the channel runs, with a door in front of it. Nothing
# happens where it is so already.

deploy() {
    local program rules sequence package node
    network_exists || fail "there is no network in $state yet: network.sh up"
    program=$(custody custody-chaincode)
    rules=$("$program" rules)
    package=$(network_tool package "$rules" "$program" "$state/chaincode.tgz")
    # shellcheck disable=SC2046
    {
        at_once start_chaincode $(chaincode_nodes)
        at_once install_package $(peer_nodes)
        for node in $(door_nodes); do start_door "$node"; done
        define
        at_once await_door $(door_nodes)
    }
    for node in $(door_nodes); do say "$node is http://$(address_of "$node" service)"; done
}

define() {
    sequence=$(committed Sequence)
    if defined; then
        say "the channel has rules $rules, sequence $sequence, already: $package"
        return
    fi
    sequence=$((${sequence:-0} + 1))
    # shellcheck disable=SC2086
    at_once approve $organisations
    commit
    say "the channel has rules $rules, sequence $sequence, now: $package"
}

defined() {
    local n
    [ "$(committed Version)" = "$rules" ] || return 1
    for n in $organisations; do
        [ "$(approved_package "$n" "$sequence")" = "$package" ] || return 1
    done
}
