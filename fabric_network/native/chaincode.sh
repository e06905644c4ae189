# The chaincode: one process for each organisation, which only that organisation's peers can reach.

chaincode_tls() { echo "$(home_of "$1")/tls"; }

# chaincode_connection PEER: where and as whom it reaches its chaincode. The builder gives it to the peer.
chaincode_connection() {
    local node=$1 tls
    tls=$(crypto_of "$node")/tls
    cat <<JSON
{"address":"$(address_of "chaincode.${node#*.}" service)","dial_timeout":"5s","tls_required":true,"client_auth_required":true,
"client_cert":"$(escaped "$tls/server.crt")","client_key":"$(escaped "$tls/server.key")","root_cert":"$(escaped "$tls/ca.crt")"}
JSON
}

escaped() { awk '{printf "%s\\n", $0}' "$1"; }

start_chaincode() {
    local node=$1 home ca
    home=$(home_of "$node") ca=$(organisation_crypto "${node#*.}")/tlsca
    if [ "$(cat "$home/package" 2>/dev/null)" != "$package" ]; then stop "$node"; fi
    runs "$node" && return
    mkdir -p "$home"
    network_tool issue "$ca"/*-cert.pem "$ca/priv_sk" "$node" 127.0.0.1 localhost "$(chaincode_tls "$node")"
    start "$node" \
        CHAINCODE_SERVER_ADDRESS="$(address_of "$node" service)" \
        CORE_CHAINCODE_ID_NAME="$package" \
        CORE_TLS_CLIENT_KEY_FILE="$(chaincode_tls "$node")/server.key" \
        CORE_TLS_CLIENT_CERT_FILE="$(chaincode_tls "$node")/server.crt" \
        CORE_PEER_TLS_ROOTCERT_FILE="$(echo "$ca"/*-cert.pem)" \
        CUSTODY_GENESIS="$(cat "$state/genesis")" \
        "$(custody custody-chaincode)"
    echo "$package" >"$home/package"
    network_tool listening "$(pid_of "$node")" "$(port_of "$node" service)" || {
        explain_end "$node"
        fail "$node does not listen; its log is $home/log"
    }
}

install_package() {
    case $(as_admin "$1" lifecycle chaincode queryinstalled) in *"Package ID: $package,"*) return ;; esac
    as_admin "$1" lifecycle chaincode install "$state/chaincode.tgz" 2>/dev/null || fail "$1 does not take the package"
}

# The definition, as the channel has it and as it ought to be.

committed() { # one field of it: Version or Sequence; nothing before the first
    { as_admin "$(first_peer)" lifecycle chaincode querycommitted -C "$channel" -n "$chaincode" 2>/dev/null || :; } |
        sed -n "s/.*$1: \([^,]*\),.*/\1/p"
}

approved_package() { # ORGANISATION SEQUENCE
    { as_admin "peer0.org$1" lifecycle chaincode queryapproved -C "$channel" -n "$chaincode" --sequence "$2" 2>/dev/null || :; } |
        sed -n 's/.*package-id: \([^,]*\),.*/\1/p'
}

first_peer() { echo peer0.org1; }

policy() {
    local n members=""
    for n in $organisations; do members="$members,'Org${n}MSP.peer'"; done
    echo "AND(${members#,})"
}

definition() {
    echo --channelID "$channel" --name "$chaincode" --version "$rules" --sequence "$sequence" --signature-policy "$(policy)" \
        -o "$(address_of "$(live_orderer)" service)" --tls --cafile "$(crypto_of orderer1.ordering)/tls/ca.crt"
}

live_orderer() {
    local node
    for node in $(orderer_nodes); do
        if runs "$node"; then
            echo "$node"
            return
        fi
    done
}

approve() {
    # shellcheck disable=SC2046
    as_admin "peer0.org$1" lifecycle chaincode approveformyorg --package-id "$package" $(definition) ||
        fail "Org$1 could not approve sequence $sequence"
}

commit() {
    local n endorsers=""
    for n in $organisations; do
        endorsers="$endorsers --peerAddresses $(address_of "peer0.org$n" service) --tlsRootCertFiles $(crypto_of "peer0.org$n")/tls/ca.crt"
    done
    # shellcheck disable=SC2046,SC2086
    as_admin "$(first_peer)" lifecycle chaincode commit $endorsers $(definition) || fail "sequence $sequence could not be committed"
}
