# The channel: its first block, and the nodes on it.

make_channel() {
    [ ! -f "$state/$channel.block" ] || return 0
    mkdir -p "$state/configtx"
    configtx >"$state/configtx/configtx.yaml"
    FABRIC_CFG_PATH="$state/configtx" FABRIC_LOGGING_SPEC=error "$(fabric configtxgen)" \
        -profile Custody -channelID "$channel" -outputBlock "$state/$channel.block.new"
    mv "$state/$channel.block.new" "$state/$channel.block"
    network_tool genesis "$state/$channel.block" >"$state/genesis"
}

operations_url() { echo "https://$(address_of "$1" operations)"; }

# A node may call itself healthy a moment before it listens.
await_health() {
    {
        network_tool wait "$(admin_tls "$1")" "$(pid_of "$1")" "$(operations_url "$1")" &&
            network_tool listening "$(pid_of "$1")" "$(port_of "$1" service)"
    } || {
        explain_end "$1"
        fail "$1 did not get healthy; its log is $(home_of "$1")/log"
    }
}

configtx() {
    local n node
    cat <<'YAML'
Organizations:
  - &Ordering
    Name: Ordering
    ID: OrdererMSP
    MSPDir: ../crypto/ordererOrganizations/ordering/msp
    Policies:
      Readers: {Type: Signature, Rule: OR('OrdererMSP.member')}
      Writers: {Type: Signature, Rule: OR('OrdererMSP.member')}
      Admins: {Type: Signature, Rule: OR('OrdererMSP.admin')}
    OrdererEndpoints:
YAML
    for node in $(orderer_nodes); do echo "      - $(address_of "$node" service)"; done
    for n in $organisations; do channel_organisation "$n"; done
    cat <<YAML
Profiles:
  Custody:
    Capabilities: {V2_0: true}
    Policies: &Majority
      Readers: {Type: ImplicitMeta, Rule: ANY Readers}
      Writers: {Type: ImplicitMeta, Rule: ANY Writers}
      Admins: {Type: ImplicitMeta, Rule: MAJORITY Admins}
    Orderer:
      OrdererType: etcdraft
      Organizations: [*Ordering]
      Capabilities: {V2_0: true}
      BatchTimeout: $batch_timeout
      BatchSize: {MaxMessageCount: 500, AbsoluteMaxBytes: 16 MB, PreferredMaxBytes: 2 MB}
      Policies:
        <<: *Majority
        BlockValidation: {Type: ImplicitMeta, Rule: ANY Writers}
      EtcdRaft:
        Options: {TickInterval: $tick_interval, ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5, SnapshotIntervalSize: 16 MB}
        Consenters:
YAML
    for node in $(orderer_nodes); do consenter "$node"; done
    cat <<'YAML'
    Application:
      Capabilities: {V2_5: true}
      Policies:
        <<: *Majority
        LifecycleEndorsement: {Type: ImplicitMeta, Rule: MAJORITY Endorsement}
        Endorsement: {Type: ImplicitMeta, Rule: MAJORITY Endorsement}
      Organizations:
YAML
    for n in $organisations; do echo "        - *Org$n"; done
}

channel_organisation() {
    local node
    cat <<YAML
  - &Org$1
    Name: Org$1
    ID: Org$1MSP
    MSPDir: ../crypto/peerOrganizations/org$1/msp
    Policies:
      Readers: {Type: Signature, Rule: "OR('Org$1MSP.admin', 'Org$1MSP.peer', 'Org$1MSP.client')"}
      Writers: {Type: Signature, Rule: "OR('Org$1MSP.admin', 'Org$1MSP.client')"}
      Admins: {Type: Signature, Rule: "OR('Org$1MSP.admin')"}
      Endorsement: {Type: Signature, Rule: "OR('Org$1MSP.peer')"}
    AnchorPeers:
YAML
    for node in $(peer_nodes "$1"); do echo "      - {Host: 127.0.0.1, Port: $(port_of "$node" service)}"; done
}

consenter() {
    local certificate
    certificate=$(crypto_of "$1")/tls/server.crt
    echo "          - {Host: 127.0.0.1, Port: $(port_of "$1" service), ClientTLSCert: $certificate, ServerTLSCert: $certificate}"
}
