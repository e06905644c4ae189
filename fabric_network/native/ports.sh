# All ports follow from one base: orderer N has base + 10 N …, organisation N the hundred from base + 100 N.

port_of() { # node and purpose → port
    local at
    case $1 in
    orderer*.ordering) at=$((base + 10 * $(digits "${1%.*}"))) ;;
    peer*.org*) at=$((base + 100 * $(digits "${1#*.}") + 10 * $(digits "${1%.*}"))) ;;
    chaincode.org*) at=$((base + 100 * $(digits "${1#*.}") + 50)) ;;
    door.org*) at=$((base + 100 * $(digits "${1#*.}") + 80)) ;;
    esac
    case $2 in
    service) echo "$at" ;;
    admin | chaincode) echo $((at + 1)) ;;
    operations) echo $((at + 2)) ;;
    esac
}

digits() { echo "${1//[!0-9]/}"; }

address_of() { echo "127.0.0.1:$(port_of "$1" "$2")"; }

orderer_nodes() { seq -f 'orderer%g.ordering' "$orderers"; }

peer_nodes() { # of one organisation, or of all
    local n
    for n in ${1:-$organisations}; do seq -f "peer%g.org$n" 0 $((peers - 1)); done
}

chaincode_nodes() {
    local n
    for n in $organisations; do echo "chaincode.org$n"; done
}

organisation_of() { digits "${1#*.}"; }
