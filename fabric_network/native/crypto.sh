# Certificates: every organisation's CAs, and what its nodes and administrator show.

crypto_of() { # node → the folder of its msp and tls
    local node=$1 domain=${1#*.}
    case $domain in
    ordering) echo "$state/crypto/ordererOrganizations/ordering/orderers/$node" ;;
    *) echo "$state/crypto/peerOrganizations/$domain/peers/$node" ;;
    esac
}

organisation_crypto() { echo "$state/crypto/peerOrganizations/$1"; }

admin_tls() { # node → what its administrator shows to its operations endpoint
    case $1 in
    *.ordering) echo "$state/crypto/ordererOrganizations/ordering/users/Admin@ordering/tls" ;;
    *) echo "$(organisation_crypto "${1#*.}")/users/Admin@${1#*.}/tls" ;;
    esac
}

make_crypto() {
    [ ! -d "$state/crypto" ] || return 0
    rm -rf "$state/crypto.new"
    crypto_config >"$state/crypto.yaml"
    "$(fabric cryptogen)" generate --config "$state/crypto.yaml" --output "$state/crypto.new" >/dev/null
    chmod -R go= "$state/crypto.new"
    mv "$state/crypto.new" "$state/crypto"
}

crypto_config() {
    local n
    cat <<'YAML'
OrdererOrgs:
  - Name: Ordering
    Domain: ordering
    EnableNodeOUs: true
    Specs:
YAML
    for n in $(seq "$orderers"); do
        echo "      - {Hostname: orderer$n, SANS: [localhost, 127.0.0.1]}"
    done
    echo "PeerOrgs:"
    for n in $organisations; do peer_organisation_crypto "$n"; done
}

peer_organisation_crypto() {
    cat <<YAML
  - Name: Org$1
    Domain: org$1
    EnableNodeOUs: true
    Template: {Count: $peers, SANS: [localhost, 127.0.0.1]}
YAML
}

# The stamp says which certificates a ledger was begun with: with others its every block would be a stranger's, and
# Fabric would only say "creator org unknown".
stamp() { cat "$state"/crypto/*/*/ca/*-cert.pem | cksum; }

refuse_stale_crypto() {
    local stamped now node
    now=$(stamp)
    for stamped in "$state"/nodes/*/stamp; do
        [ -f "$stamped" ] || continue
        node=$(basename "$(dirname "$stamped")")
        [ "$(cat "$stamped")" = "$now" ] || fail "$node holds a ledger that was begun with other certificates than those in $state/crypto. Put the old ones back, or erase both: network.sh down --erase"
    done
}
