# doctor: looks for what usually goes wrong, one check each, and says what to do about it.

doctor() {
    problems=0
    check_programs
    if ! network_exists; then
        problem "there is no network in $state" "network.sh up"
        return 1
    fi
    check_crypto
    check_certificates
    check_disk
    check_processes
    check_ports
    check_health
    check_leader
    check_discovery
    check_heights
    check_chaincode
    check_doors
    say "$problems problems"
    [ $problems -eq 0 ]
}

fine() { say "fine     $1"; }

problem() { # what is wrong, what to do
    say "PROBLEM  $1"
    say "         so: $2"
    problems=$((problems + 1))
}

check_programs() {
    local name version missing=""
    for name in peer orderer configtxgen cryptogen osnadmin; do
        (fabric "$name") >/dev/null 2>&1 || missing="$missing $name"
    done
    for name in custody-network custody-chaincode; do
        [ -x "$custody_bin/$name" ] || missing="$missing $name"
    done
    if [ -n "$missing" ]; then
        problem "programs are missing:$missing" "point FABRIC_BIN at the folder with Fabric's, CUSTODY_BIN at Custody's"
        return
    fi
    version=$("$(fabric peer)" version | sed -n 's/^ *Version: //p')
    case $version in
    v3.1.* | v2.5.*) fine "programs are there; Fabric is $version" ;;
    *) problem "Fabric is $version" "3.1 and 2.5 are what this network was tried with" ;;
    esac
}

check_crypto() {
    local refusal
    if refusal=$(refuse_stale_crypto 2>&1); then
        fine "ledgers and certificates belong together"
    else
        problem "${refusal#network.sh: }" "network.sh down --erase, then up; what these ledgers hold is lost with that"
    fi
}

check_certificates() {
    local list
    if list=$(network_tool certs "$state/crypto" "$state/nodes" 2>/dev/null); then
        fine "certificates are valid for $(sed -n '1s/^ *\([0-9]*\) days.*/\1/p' <<<"$list") days and more"
        return
    fi
    case $list in
    *"NOT YET"*) problem "certificates are of the future" "set this machine's clock: it is $(date -u +%FT%TZ) by it" ;;
    *ENDED*) problem "certificates have ended" "see network.sh certs; renew them with the CA in $state/crypto" ;;
    *) problem "certificates end soon" "see network.sh certs; renew them with the CA in $state/crypto" ;;
    esac
}

check_disk() {
    local free_mb
    free_mb=$(df -Pm "$state" | awk 'NR == 2 {print $4}')
    if [ "$free_mb" -ge 1024 ]; then
        fine "there are $((free_mb / 1024)) GiB of disk left"
    else
        problem "there are only $free_mb MiB of disk left" "an orderer or a peer that cannot write stops; make room"
    fi
}

nodes() { orderer_nodes && peer_nodes; }

check_processes() {
    local node stopped=""
    for node in $(nodes); do runs "$node" || stopped="$stopped $node"; done
    if [ -z "$stopped" ]; then
        fine "every orderer and peer runs"
        return
    fi
    problem "do not run:$stopped" "network.sh up starts them again; the end of each log:"
    for node in $stopped; do explain_end "$node" 2>&1; done
}

check_ports() {
    local foreign
    foreign=$(foreign_ports)
    if [ -z "$foreign" ]; then
        fine "no foreign process listens on the network's ports"
    else
        problem "something else listens on $foreign" "stop it, or make the network with other ports: down --erase, up --base PORT"
    fi
}

check_health() {
    local node unhealthy=""
    for node in $(nodes); do
        runs "$node" || continue
        network_tool metric "$(admin_tls "$node")" "$(operations_url "$node")" fabric_version >/dev/null 2>&1 || unhealthy="$unhealthy $node"
    done
    if [ -z "$unhealthy" ]; then
        fine "whatever runs answers at its operations endpoint"
    else
        problem "do not answer:$unhealthy" "look into $state/nodes/NODE/log; kill -9 and network.sh up loses nothing that was acknowledged"
    fi
}

check_leader() {
    local node
    for node in $(orderer_nodes); do
        if [ "$(metric "$node" consensus_etcdraft_is_leader)" = 1 ]; then
            fine "$node leads the orderers"
            return
        fi
    done
    problem "the orderers have no leader, so nothing is ordered" "most of the $orderers orderers have to run and reach each other"
}

check_discovery() {
    local node known others alone=""
    others=$(($(peer_nodes | wc -l) - 1))
    for node in $(peer_nodes); do
        known=$(metric "$node" gossip_membership_total_peers_known) || known=0
        [ "${known:-0}" -ge "$others" ] || alone="$alone $node ($known of $others)"
    done
    if [ -z "$alone" ]; then
        fine "every peer knows the $((others + 1)) that there are, so endorsers of both organisations can be found"
    else
        problem "peers do not know each other:$alone" "without that: \"no combination of peers can be derived\". All peers have to run; a second later they should have met"
    fi
}

check_heights() {
    local node height highest=0 behind=""
    for node in $(peer_nodes); do
        height=$(metric "$node" ledger_blockchain_height) || height=0
        [ "${height:-0}" -le "$highest" ] || highest=$height
    done
    for node in $(peer_nodes); do
        height=$(metric "$node" ledger_blockchain_height) || height=0
        [ $((highest - ${height:-0})) -le 10 ] || behind="$behind $node (${height:-0} of $highest)"
    done
    if [ -z "$behind" ]; then
        fine "the peers have the same blocks, $highest of them"
    else
        problem "peers are behind:$behind" "they catch up by themselves while an orderer is reachable; their reads are old until then"
    fi
}

check_chaincode() {
    local node version package silent=""
    version=$(committed Version)
    if [ -z "$version" ]; then
        problem "the channel has no chaincode" "network.sh deploy"
        return
    fi
    for node in $(chaincode_nodes); do
        [ -n "$(network_tool taken "$(port_of "$node" service)")" ] || silent="$silent $node"
    done
    if [ -n "$silent" ]; then
        problem "chaincode does not answer:$silent" "network.sh deploy starts it again; until then its organisation endorses nothing"
        return
    fi
    for node in $(chaincode_nodes); do
        package=$(approved_package "$(organisation_of "$node")" "$(committed Sequence)")
        if [ "$(cat "$(home_of "$node")/package" 2>/dev/null)" != "$package" ]; then
            problem "$node runs another package than its organisation approved ($package)" "network.sh deploy"
            return
        fi
    done
    fine "chaincode answers, with rules $version as the channel defines them"
}

check_doors() {
    local node said
    for node in $(door_nodes); do
        if ! runs "$node"; then
            problem "$node does not run" "network.sh deploy"
        elif said=$(network_tool readiness "http://$(address_of "$node" service)" 2>&1); then
            fine "$node is ready: writes can be expected to succeed"
        else
            problem "$node is not ready: ${said#custody-network: }" "mend what is said above; it needs no restart"
        fi
    done
}
