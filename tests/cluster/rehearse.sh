#!/usr/bin/env bash
# The cluster rehearsed on one machine: docs/cluster/on_premises.yaml from `ray up` to `ray down`, on three hosts.
#
# A host is a set of namespaces: its own network, processes, /tmp, home folder and SSH server (port 2222, a key made for
# the occasion). The hosts and the "laptop" share a bridge that nothing else is on; nothing listens outside of it.
# Everything lies in one scratch folder and ends with this script.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "make test-cluster needs root, to make namespaces; run it in a container or with sudo"; exit 2; }

needed=(openssh-server rsync)
if ! dpkg -s "${needed[@]}" &> /dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends --download-only "${needed[@]}"
    # Debian starts what it installs: here without a network and in a namespace of processes that ends with apt.
    unshare --net --pid --mount --fork --mount-proc apt-get install -y -qq --no-install-recommends --no-download "${needed[@]}"
fi

# Not in /tmp, which every host has its own of. A folder named by the caller stays, and saves the next run its installs.
if [ -z "${SCRATCH:-}" ]; then
    SCRATCH=$(mktemp -d -p /var/tmp study-cluster-XXXXXX)
    trap 'rm -rf "$SCRATCH"' EXIT
fi
export SCRATCH
mkdir -p "$SCRATCH"
chmod 755 "$SCRATCH"
WHEELS=${WHEELS:-$SCRATCH/wheels}
export WHEELS
[ -d "$WHEELS" ] || .venv/bin/pip download --quiet --constraint constraints.txt --dest "$WHEELS" \
    "pip>=25.1" hatchling editables . boto3 google-api-python-client

unshare --net --pid --mount --uts --fork --mount-proc --kill-child tests/cluster/laptop.sh
