# status: what runs, where its metrics and its log are, and how far it is. Fails when something does not run.

status() {
    local node failed=0
    network_exists || fail "there is no network in $state yet: network.sh up"
    say "genesis $(cat "$state/genesis")"
    say "blocks after $batch_timeout, Raft ticks of $tick_interval"
    for node in $(orderer_nodes); do show "$node" "$(orderer_standing "$node")" || failed=1; done
    for node in $(peer_nodes); do show "$node" "$(peer_standing "$node")" || failed=1; done
    for node in $(chaincode_nodes); do show "$node" "$(chaincode_standing "$node")" || failed=1; done
    for node in $(door_nodes); do show "$node" "$(door_standing "$node")" || failed=1; done
    return $failed
}

show() { # NODE STANDING
    local where
    where=$(address_of "$1" service)
    if runs "$1"; then
        printf '%-18s %-16s %-26s %s\n' "$1" "$where" "$2" "$(home_of "$1")/log"
    else
        printf '%-18s %-16s %-26s %s\n' "$1" "$where" "NOT RUNNING" "$(home_of "$1")/log"
        return 1
    fi
}

metric() { network_tool metric "$(admin_tls "$1")" "$(operations_url "$1")" "$2{channel=\"$channel\"}" 2>/dev/null; }

orderer_standing() {
    case $(metric "$1" consensus_etcdraft_is_leader) in
    1) echo "leader" ;;
    0) echo "follower" ;;
    *) echo "no answer" ;;
    esac
}

peer_standing() {
    local blocks
    if blocks=$(metric "$1" ledger_blockchain_height); then echo "$blocks blocks"; else echo "no answer"; fi
}

chaincode_standing() { cut -d: -f1 "$(home_of "$1")/package" 2>/dev/null || echo "never deployed"; }

door_standing() { network_tool readiness "http://$(address_of "$1" service)" 2>/dev/null || echo "not ready"; }
