# The doors: one for each organisation, in front of its own peers. It holds the organisation's service identity, and
# issues certificates from its CA for enrolment codes.

door_nodes() {
    local n
    for n in $organisations; do echo "door.org$n"; done
}

service_of() { # organisation → the service that its door speaks for
    case $1 in
    1) echo aggregator ;;
    2) echo validator ;;
    *) echo auditor ;;
    esac
}

start_door() {
    local node=$1 n home identities ca addresses peer
    runs "$node" && return
    n=$(organisation_of "$node") home=$(home_of "$node") ca=$(organisation_crypto "${node#*.}")/ca
    identities=$home/identities
    mkdir -p "$identities"
    chmod 0700 "$home" "$identities"
    install -m 0600 "$ca"/*-cert.pem "$identities/Org${n}MSP.ca.pem"
    install -m 0600 "$ca/priv_sk" "$identities/Org${n}MSP.ca.key"
    addresses=$(for peer in $(peer_nodes "$n"); do address_of "$peer" service; done | paste -sd, -)
    start "$node" "$(custody custody-fabric-door)" serve --dir "$home" --listen "$(address_of "$node" service)" --msp "Org${n}MSP" \
        --service "$(service_of "$n")" --peer "$addresses" --tls-roots "$(crypto_of "peer0.org$n")/tls/ca.crt" \
        --genesis "$state/genesis" --channel "$channel" --chaincode "$chaincode"
}

await_door() {
    network_tool ready "$(pid_of "$1")" "http://$(address_of "$1" service)" || {
        explain_end "$1"
        fail "$1 is not ready; its log is $(home_of "$1")/log"
    }
}

# code: a one-time code with which a person enrols at its organisation's door.
code() {
    local door
    [ $# -eq 3 ] || fail "code takes an organisation's number, a role and a name"
    network_exists || fail "there is no network in $state yet: network.sh up"
    door=$(custody custody-fabric-door)
    "$door" code --dir "$(home_of "door.org$1")" --msp "Org$1MSP" --role "$2" --name "$3"
}
