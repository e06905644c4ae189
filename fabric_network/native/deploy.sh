# deploy: the chaincode that is built now becomes the one that the channel runs. Nothing happens where it is so already.

deploy() {
    local rules sequence package
    network_exists || fail "there is no network in $state yet: network.sh up"
    rules=$("$(custody custody-chaincode)" rules)
    package=$(network_tool package "$rules" "$(custody custody-chaincode)" "$state/chaincode.tgz")
    # shellcheck disable=SC2046
    {
        at_once start_chaincode $(chaincode_nodes)
        at_once install_package $(peer_nodes)
    }
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
