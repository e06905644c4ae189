#!/usr/bin/env bash
# A Fabric network of two organisations, as plain processes on this machine.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
    cat <<USAGE
network.sh VERB [--state FOLDER]
  up      [--orderers 1|3] [--peers 1|2] [--base PORT] [--batch-timeout 100ms] [--tick-interval 100ms]
          start what does not run; the first time, make the network
  deploy  bring the chaincode on the channel up to date, and run it, with a door for each organisation
  code    ORGANISATION ROLE NAME  a one-time code with which a person enrols at its organisation's door
  down    [--erase]  stop the network's processes; with --erase, delete the folder too
  status  what runs, where, and how far it is
  doctor  what is wrong, and what to do about it
  certs   the days that each certificate has left

Fabric's programs come from FABRIC_BIN or the PATH, Custody's from CUSTODY_BIN or build/; the folder is var/fabric.
USAGE
}

# shellcheck source=native/common.sh
. "$here/native/common.sh"
# shellcheck source=native/settings.sh
. "$here/native/settings.sh"
# shellcheck source=native/ports.sh
. "$here/native/ports.sh"
# shellcheck source=native/process.sh
. "$here/native/process.sh"
# shellcheck source=native/crypto.sh
. "$here/native/crypto.sh"
# shellcheck source=native/channel.sh
. "$here/native/channel.sh"
# shellcheck source=native/orderer.sh
. "$here/native/orderer.sh"
# shellcheck source=native/peer.sh
. "$here/native/peer.sh"
# shellcheck source=native/chaincode.sh
. "$here/native/chaincode.sh"
# shellcheck source=native/door.sh
. "$here/native/door.sh"
# shellcheck source=native/up.sh
. "$here/native/up.sh"
# shellcheck source=native/deploy.sh
. "$here/native/deploy.sh"
# shellcheck source=native/down.sh
. "$here/native/down.sh"
# shellcheck source=native/status.sh
. "$here/native/status.sh"
# shellcheck source=native/doctor.sh
. "$here/native/doctor.sh"
# shellcheck source=native/certs.sh
. "$here/native/certs.sh"

root=$(dirname "$here")
state=$root/var/fabric
custody_bin=${CUSTODY_BIN:-$root/build}
erase=""
asked=""
words=""

verb=${1:-}
[ $# -eq 0 ] || shift
while [ $# -gt 0 ]; do
    option=${1#--}
    case $1 in
    --erase) erase=yes ;;
    --state)
        state=${2:?--state needs a folder}
        shift
        ;;
    --orderers | --peers | --base | --batch-timeout | --tick-interval)
        asked="$asked ${option//-/_}=${2:?$1 needs a value}"
        shift
        ;;
    -*)
        usage >&2
        exit 2
        ;;
    *) words="$words $1" ;;
    esac
    shift
done

case $verb in
up | deploy | code | down | status | doctor | certs)
    case $state in /*) ;; *) state=$PWD/$state ;; esac
    trap '[ $? -eq 0 ] || echo "network.sh: $verb did not succeed" >&2' EXIT
    # shellcheck disable=SC2086
    {
        settle $asked
        "$verb" $words
    }
    ;;
-h | --help | help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
