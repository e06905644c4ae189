# A peer, and its organisation's administrator in front of it.

start_peer() {
    local node=$1 home crypto tls
    runs "$node" && return
    home=$(home_of "$node") crypto=$(crypto_of "$node")
    tls=$crypto/tls
    mkdir -p "$home"
    stamp >"$home/stamp"
    chaincode_connection "$node" >"$home/chaincode.json"
    chmod 0600 "$home/chaincode.json"
    start "$node" \
        FABRIC_CFG_PATH="$here/config" \
        FABRIC_LOGGING_SPEC=warn \
        FABRIC_LOGGING_FORMAT="$log_format" \
        CORE_PEER_ID="$node" \
        CORE_PEER_LOCALMSPID="Org$(organisation_of "$node")MSP" \
        CORE_PEER_MSPCONFIGPATH="$crypto/msp" \
        CORE_PEER_ADDRESS="$(address_of "$node" service)" \
        CORE_PEER_LISTENADDRESS="$(address_of "$node" service)" \
        CORE_PEER_CHAINCODEADDRESS="$(address_of "$node" chaincode)" \
        CORE_PEER_CHAINCODELISTENADDRESS="$(address_of "$node" chaincode)" \
        CORE_PEER_GOSSIP_BOOTSTRAP="$(address_of "$(companion "$node")" service)" \
        CORE_PEER_GOSSIP_ENDPOINT="$(address_of "$node" service)" \
        CORE_PEER_GOSSIP_EXTERNALENDPOINT="$(address_of "$node" service)" \
        CORE_PEER_TLS_KEY_FILE="$tls/server.key" \
        CORE_PEER_TLS_CERT_FILE="$tls/server.crt" \
        CORE_PEER_TLS_ROOTCERT_FILE="$tls/ca.crt" \
        CORE_PEER_FILESYSTEMPATH="$home/ledger" \
        CORE_LEDGER_SNAPSHOTS_ROOTDIR="$home/snapshots" \
        CORE_OPERATIONS_LISTENADDRESS="$(address_of "$node" operations)" \
        CORE_OPERATIONS_TLS_KEY_FILE="$tls/server.key" \
        CORE_OPERATIONS_TLS_CERT_FILE="$tls/server.crt" \
        CORE_OPERATIONS_TLS_CLIENTROOTCAS_FILES="$tls/ca.crt" \
        CORE_CHAINCODE_EXTERNALBUILDERS="[{name: custody, path: $here/config/builder, propagateEnvironment: [CUSTODY_CHAINCODE_CONNECTION]}]" \
        CUSTODY_CHAINCODE_CONNECTION="$home/chaincode.json" \
        "$(fabric peer)" node start
}

# companion NODE: the other peer of its organisation, or itself.
companion() {
    local other
    for other in $(peer_nodes "$(organisation_of "$1")"); do
        if [ "$other" != "$1" ]; then
            echo "$other"
            return
        fi
    done
    echo "$1"
}

# as_admin NODE ARGUMENT...: Fabric's peer command, by the administrator of the node's organisation.
as_admin() {
    local node=$1
    shift
    env FABRIC_CFG_PATH="$here/config" \
        FABRIC_LOGGING_SPEC=error \
        CORE_PEER_LOCALMSPID="Org$(organisation_of "$node")MSP" \
        CORE_PEER_MSPCONFIGPATH="$(organisation_crypto "${node#*.}")/users/Admin@${node#*.}/msp" \
        CORE_PEER_ADDRESS="$(address_of "$node" service)" \
        CORE_PEER_TLS_ROOTCERT_FILE="$(crypto_of "$node")/tls/ca.crt" \
        "$(fabric peer)" "$@"
}

join_peer() {
    local answer
    answer=$(as_admin "$1" channel join -b "$state/$channel.block" 2>&1) && return
    case $answer in
    *"already exists"*) ;;
    *) fail "$1 did not join the channel: $answer" ;;
    esac
}

# Endorsement by two organisations needs each peer to have heard of the others.
await_company() {
    local others
    others=$(peer_nodes | wc -l)
    network_tool wait "$(admin_tls "$1")" "$(pid_of "$1")" "$(operations_url "$1")" \
        "gossip_membership_total_peers_known{channel=\"$channel\"}" $((others - 1))
}
