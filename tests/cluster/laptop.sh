#!/usr/bin/env bash
# The laptop: builds the network and the hosts, then types what docs/cluster/README.md says.
set -euo pipefail
declare -A hosts=([head]=10.77.0.10 [worker-a]=10.77.0.11 [worker-b]=10.77.0.12) pids=()
cluster=$SCRATCH/cluster.yaml
storage=$SCRATCH/shared/studies

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
typed() { say "$*"; "$@"; }

build_network() {
    ip link set lo up
    ip link add lan type bridge
    ip address add 10.77.0.1/24 dev lan
    ip link set lan up
    { echo 127.0.0.1 localhost; for name in "${!hosts[@]}"; do echo "${hosts[$name]} $name"; done; } > "$SCRATCH/hosts"
}

make_keys() {
    rm -rf "$SCRATCH/ssh" "$HOME/.ssh"
    mkdir -p "$SCRATCH/ssh" "$HOME/.ssh"
    ssh-keygen -q -t ed25519 -N '' -f "$SCRATCH/ssh/host_key"
    ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_ed25519"
    cp "$HOME/.ssh/id_ed25519.pub" "$SCRATCH/ssh/authorized_keys"
    printf 'Host 10.77.0.*\n    Port 2222\n' > "$HOME/.ssh/config"
    cat > "$SCRATCH/ssh/sshd_config" << END
HostKey $SCRATCH/ssh/host_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
PidFile none
END
}

start_host() {  # NAME
    unshare --net --pid --mount --uts --fork --mount-proc --kill-child \
        tests/cluster/host.sh "$1" "${hosts[$1]}" > "$SCRATCH/$1.log" 2>&1 &
    pids[$1]=$!
    until [ "$(readlink "/proc/${pids[$1]}/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
    ip link add "to-$1" type veth peer name eth0 netns "${pids[$1]}"
    ip link set "to-$1" master lan up
    until (: < "/dev/tcp/${hosts[$1]}/2222") 2> /dev/null; do
        kill -0 "${pids[$1]}" || { cat "$SCRATCH/$1.log"; exit 1; }
        sleep 0.1
    done
}

wait_for_workers() {  # NUMBER: until the cluster has that many nodes that train
    for _ in $(seq 120); do
        nodes=$(ray exec "$cluster" "cd ~/study && python -m tests.cluster.nodes" 2> /dev/null | grep -c '^alive worker' || true)
        [ "$nodes" = "$1" ] && return
        sleep 5
    done
    echo "$nodes of $1 workers joined in ten minutes"
    ray exec "$cluster" 'tail -n 60 /tmp/ray/session_latest/logs/monitor*'
    exit 1
}

# This process has its own namespaces too: a home folder and a /tmp that are not the machine's.
export HOME=$SCRATCH/laptop/home PATH=$PWD/.venv/bin:$PATH
rm -rf "$SCRATCH/shared" "$SCRATCH"/*/tmp
mkdir -p "$HOME" "$SCRATCH/laptop/tmp" "$storage"
sed "s|^root:\(.*\):/root:|root:\1:$HOME:|" /etc/passwd > "$SCRATCH/laptop/passwd"
mount --bind "$SCRATCH/laptop/passwd" /etc/passwd
mount --bind "$SCRATCH/laptop/tmp" /tmp
build_network
make_keys
for name in head worker-a worker-b; do start_host "$name"; done
sed -e 's/192\.168\.1\./10.77.0./g' -e 's/ssh_user: ubuntu/ssh_user: root/' -e "s|/mnt/shared/studies|$storage|" \
    docs/cluster/on_premises.yaml > "$cluster"

export RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=token RAY_UP_enable_autoscaler_v2=0
say ray get-auth-token --generate
ray get-auth-token --generate > /dev/null 2>&1  # it prints the token
typed ray up -y "$cluster"
wait_for_workers 2
typed ray exec "$cluster" 'ray status'
typed ray exec "$cluster" 'cd ~/study && python -m study.doctor'
typed ray exec "$cluster" 'cd ~/study && make aws gcp'
typed ray exec "$cluster" 'cd ~/study && python -m study.run tests/cluster/small.yaml --name by-exec'
typed ray submit "$cluster" study/run.py -- '~/study/tests/cluster/small.yaml' --name by-submit
say ray dashboard "$cluster" '&'
ray dashboard "$cluster" > "$SCRATCH/dashboard.log" 2>&1 &
until (: < /dev/tcp/127.0.0.1/8265) 2> /dev/null; do sleep 0.5; done
typed ray job submit --address http://127.0.0.1:8265 --working-dir . -- \
    python -m study.run tests/cluster/small.yaml --name by-job

say "a node is lost in the middle of a study, and another comes in its place"
ray exec "$cluster" 'cd ~/study && python -m study.run tests/cluster/small.yaml --name with-loss' &
study=$!
until compgen -G "$storage/with-loss/trials/0000/step-*/progress.json" > /dev/null; do kill -0 "$study"; sleep 0.2; done
kill -9 "${pids[worker-b]}"
ip link delete to-worker-b
echo "worker-b is gone"
start_host worker-b
echo "worker-b is a new machine"
wait "$study"

say "the dashboard from outside the head"
if (: < /dev/tcp/10.77.0.10/8265) 2> /dev/null; then echo "open to the network"; exit 1; fi
echo "refused"
say "without the token"
if refusal=$(RAY_AUTH_MODE=disabled ray job list --address http://127.0.0.1:8265 2>&1); then echo "let in"; exit 1; fi
grep '^ray\.exceptions' <<< "$refusal"
typed ray down -y "$cluster"
for _ in $(seq 120); do pgrep raylet > /dev/null || break; sleep 1; done
if pgrep raylet; then echo "Ray still runs two minutes later"; exit 1; fi

say "a cluster that grows from nothing when it is asked to"
cp tests/cluster/growing.yaml "$HOME/ray_bootstrap_config.yaml"
RAY_FAKE_CLUSTER=1 ray start --head --num-cpus=0 --autoscaling-config="$HOME/ray_bootstrap_config.yaml" > "$SCRATCH/growing.log" 2>&1
typed python -m study.doctor tests/cluster/small.yaml --storage "$storage"
typed python -m study.run tests/cluster/small.yaml --name grown --storage "$storage"
ray stop > /dev/null

say "every way, every loss and every size: the same figures"
python -m tests.cluster.same_figures "$storage"/{by-exec,by-submit,by-job,with-loss,grown}
