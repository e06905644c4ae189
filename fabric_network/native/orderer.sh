# An orderer.

start_orderer() {
    local node=$1 home crypto tls
    runs "$node" && return
    home=$(home_of "$node") crypto=$(crypto_of "$node")
    tls=$crypto/tls
    mkdir -p "$home"
    stamp >"$home/stamp"
    start "$node" \
        FABRIC_CFG_PATH="$here/config" \
        FABRIC_LOGGING_SPEC=warn:orderer.common.broadcast=error \
        FABRIC_LOGGING_FORMAT="$log_format" \
        ORDERER_GENERAL_LISTENPORT="$(port_of "$node" service)" \
        ORDERER_GENERAL_LOCALMSPDIR="$crypto/msp" \
        ORDERER_GENERAL_TLS_PRIVATEKEY="$tls/server.key" \
        ORDERER_GENERAL_TLS_CERTIFICATE="$tls/server.crt" \
        ORDERER_GENERAL_TLS_ROOTCAS="[$tls/ca.crt]" \
        ORDERER_GENERAL_CLUSTER_CLIENTPRIVATEKEY="$tls/server.key" \
        ORDERER_GENERAL_CLUSTER_CLIENTCERTIFICATE="$tls/server.crt" \
        ORDERER_FILELEDGER_LOCATION="$home/ledger" \
        ORDERER_CONSENSUS_WALDIR="$home/raft/wal" \
        ORDERER_CONSENSUS_SNAPDIR="$home/raft/snapshots" \
        ORDERER_ADMIN_LISTENADDRESS="$(address_of "$node" admin)" \
        ORDERER_ADMIN_TLS_PRIVATEKEY="$tls/server.key" \
        ORDERER_ADMIN_TLS_CERTIFICATE="$tls/server.crt" \
        ORDERER_ADMIN_TLS_CLIENTROOTCAS="[$tls/ca.crt]" \
        ORDERER_OPERATIONS_LISTENADDRESS="$(address_of "$node" operations)" \
        ORDERER_OPERATIONS_TLS_PRIVATEKEY="$tls/server.key" \
        ORDERER_OPERATIONS_TLS_CERTIFICATE="$tls/server.crt" \
        ORDERER_OPERATIONS_TLS_CLIENTROOTCAS="[$tls/ca.crt]" \
        "$(fabric orderer)"
}

join_orderer() {
    local node=$1 tls answer
    tls=$(admin_tls "$node")
    answer=$("$(fabric osnadmin)" channel join --channelID "$channel" --config-block "$state/$channel.block" \
        -o "$(address_of "$node" admin)" --ca-file "$tls/ca.crt" --client-cert "$tls/client.crt" --client-key "$tls/client.key" 2>&1) || :
    case $answer in
    *"Status: 201"* | *"channel already exists"*) ;;
    *) fail "$node did not join the channel: $answer" ;;
    esac
}

await_leader() {
    local node urls=""
    for node in $(orderer_nodes); do urls="$urls $(operations_url "$node")"; done
    # shellcheck disable=SC2086
    network_tool any "$(admin_tls orderer1.ordering)" $urls "consensus_etcdraft_is_leader{channel=\"$channel\"}" 1
}
