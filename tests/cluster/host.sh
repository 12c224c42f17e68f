#!/usr/bin/env bash
# One host: `host.sh NAME ADDRESS` in namespaces of its own becomes a machine with an SSH server, and stays one.
set -euo pipefail
name=$1 address=$2 folder=$SCRATCH/$1

mkdir -p "$folder"/{home/.ssh,tmp}
chmod 700 "$folder/home/.ssh"
cp "$SCRATCH/ssh/authorized_keys" "$folder/home/.ssh/"
printf 'Host 10.77.0.*\n    Port 2222\n' > "$folder/home/.ssh/config"
# The hosts have no network: pip finds what it would have downloaded, and leaves compiling to the first import. They share
# one memory, so what Ray sees as full is the machine, which others use too.
[ -f "$folder/home/.bashrc" ] || printf 'export %s\n' PIP_NO_INDEX=1 PIP_NO_COMPILE=1 "PIP_FIND_LINKS=$WHEELS" \
    RAY_memory_monitor_refresh_ms=0 > "$folder/home/.bashrc"
sed "s|$SCRATCH/laptop/home|$folder/home|" /etc/passwd > "$folder/passwd"  # the laptop's, which it was started from

hostname "$name"
until ip link show eth0 &> /dev/null; do sleep 0.1; done
ip link set lo up
ip address add "$address/24" dev eth0
ip link set eth0 up

mount --bind "$folder/passwd" /etc/passwd
mount --bind "$SCRATCH/hosts" /etc/hosts
mount --bind "$folder/tmp" /tmp
mount -t tmpfs tmpfs /run
mkdir /run/sshd
exec /usr/sbin/sshd -D -e -f "$SCRATCH/ssh/sshd_config" -o "ListenAddress=$address:2222"
