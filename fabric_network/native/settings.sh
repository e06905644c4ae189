# What a network is made with. The first `up` decides and $state/settings keeps it: most of it stands in block 0.

orderers=3          # Raft orderers: 3 survive the loss of one, 1 suits a small machine
peers=1             # peers of each organisation
base=17000          # first of the ports
batch_timeout=100ms # how long a block waits for company: the floor under a lone transaction's latency
tick_interval=100ms # Raft: a lost leader is replaced after ten to twenty ticks
organisations="1 2"

channel=custody
chaincode=custody

# settle NAME=VALUE...: the settings kept, or those asked for where there is no network yet.
settle() {
    local pair name value
    # shellcheck source=/dev/null
    if network_exists; then . "$state/settings"; fi
    for pair; do
        name=${pair%%=*} value=${pair#*=}
        if network_exists && [ "${!name}" != "$value" ]; then
            fail "the network in $state was made with $name ${!name}, not $value. Leave it so, or erase it first: network.sh down --erase"
        fi
        printf -v "$name" %s "$value"
    done
    case $orderers in 1 | 3) ;; *) fail "there can be 1 orderer or 3, not $orderers" ;; esac
    case $peers in 1 | 2) ;; *) fail "an organisation can have 1 peer or 2, not $peers" ;; esac
}

network_exists() { [ -f "$state/settings" ]; }

keep_settings() {
    cat >"$state/settings.new" <<SETTINGS
orderers=$orderers
peers=$peers
base=$base
batch_timeout=$batch_timeout
tick_interval=$tick_interval
organisations="$organisations"
SETTINGS
    mv "$state/settings.new" "$state/settings"
}
