#!/usr/bin/env bash
# From a fresh machine to a working mesh: two nodes and six pods in network namespaces, one agent per node.
set -uo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'USAGE'
usage: hack/demo.sh [--keep] [--direct] [--binary FILE] | --stop

Shows a mesh of two nodes on this machine: installs Debian packages, builds, and runs real servers through it.
Each line that begins with ✓ is a thing that was checked; the exit status is 0 only if all were.

  --keep          leave it running, and say what to try
  --stop          end a demo that was left running
  --direct        only the machines and the servers, without agents: is this machine fit for the demo?
  --binary FILE   use this meshnode instead of building one
  -h, --help      this text

Exit status: 0 all shown, 1 not, 64 usage, 77 not root, 130 interrupted.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
root=${here%/hack}
python=/usr/bin/python3
state=/run/mn-demo

keeps=0 only_direct=0 stops=0 binary=""
while (($#)); do
    case $1 in
        --keep) keeps=1 ;;
        --stop) stops=1 ;;
        --direct) only_direct=1 ;;
        --binary)
            shift
            binary=${1:-}
            [[ -x $binary ]] || {
                echo "hack/demo.sh: --binary needs an executable file, not '$binary'" >&2
                exit 64
            }
            binary=$(realpath "$binary")
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "hack/demo.sh: unknown argument '$1'" >&2
            usage >&2
            exit 64
            ;;
    esac
    shift
done
if ((stops && (keeps || only_direct))); then
    echo "hack/demo.sh: --stop stands alone" >&2
    exit 64
fi
if ((EUID != 0)); then
    echo "hack/demo.sh: needs root, for network namespaces: sudo hack/demo.sh" >&2
    exit 77
fi

# shellcheck source=hack/packages.sh
. "$here/packages.sh"
# shellcheck source=hack/demo/topology.sh
. "$here/demo/topology.sh"
# shellcheck source=hack/demo/steps.sh
. "$here/demo/steps.sh"

# --- one demo at a time

# Ends a demo that runs, or what one left: the processes that it wrote down, if they still are the ones it started.
stop_kept() {
    local pid began
    read -r pid began 2>/dev/null <"$state/demo"
    if [[ -n ${pid:-} && $(start_time "$pid") == "$began" ]]; then
        # It still runs, and cleans up after itself.
        end_process "$pid" "$began"
        return
    fi
    [[ ! -s $state/processes ]] || while read -r pid began; do
        end_process "$pid" "$began"
    done <"$state/processes"
    delete_topology
    # Only a directory of our own making is written here.
    [[ -s $state/work ]] && rm -rf -- "$(<"$state/work")"
    rm -rf -- "$state"
}

# Ends process $1 if it was started at $2, and waits for it.
end_process() {
    local tries
    [[ $(start_time "$1") == "$2" ]] && kill -TERM "$1" 2>/dev/null
    for ((tries = 0; tries < 500; tries++)); do
        [[ $(start_time "$1") == "$2" ]] || return 0
        sleep 0.02
    done
    kill -KILL "$1" 2>/dev/null
}

# When process $1 was started, in ticks since boot (proc(5), field 22): tells it from a later one of the same number.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

if ((stops)); then
    stop_kept && echo "stopped"
    exit
fi
# Making a directory is one step: of two demos that start at once, one is refused.
if ! mkdir "$state" 2>/dev/null || [[ -n $(demo_namespaces) ]]; then
    echo "hack/demo.sh: a demo is running, or was left running; end it: sudo hack/demo.sh --stop" >&2
    exit 1
fi
echo "$$ $(start_time $$)" >"$state/demo"
: >"$state/processes"

# --- processes of ours

declare -A agent_pid=()
children=()
started=0

# Starts "$4"... in namespace $2 with its output in file $3; sets `started` to its pid. $1 is what it is called.
start() {
    local namespace=$2 log=$3
    shift 3
    setsid nsenter --net="/run/netns/mn-demo-$namespace" "$@" >"$log" 2>&1 </dev/null &
    started=$!
    children+=("$started")
    echo "$started $(start_time "$started")" >>"$state/processes"
}

# Ends one of them and waits until it has ended.
stop() {
    kill -TERM "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

cleanup() {
    local status=$? pid
    trap '' INT TERM
    trap - EXIT
    if ((keeps && status == 0)); then
        exit 0
    fi
    # They are still our children, so their numbers are nobody else's.
    for pid in ${children[@]+"${children[@]}"}; do
        kill -TERM "$pid" 2>/dev/null
    done
    for pid in ${children[@]+"${children[@]}"}; do
        wait_for_end "$pid"
    done
    delete_topology || echo "hack/demo.sh: not all namespaces could be deleted: $(demo_namespaces)" >&2
    [[ -z ${work:-} ]] || rm -rf -- "$work"
    rm -rf -- "$state"
    exit "$status"
}

# Waits up to five seconds for a child to end by itself, then ends it and all that it started.
wait_for_end() {
    local tries state
    for ((tries = 0; tries < 250; tries++)); do
        # A child that ended is a zombie until it is waited for, so its number and its group are still ours.
        state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f1)
        [[ -z $state || $state == Z ]] && break
        sleep 0.02
    done
    [[ -z $state ]] || kill -KILL -- "-$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- steps

failed=0 passed=0
# Runs a step and prints its line; $1 is what it shows, the rest the command.
step() {
    local title=$1 begin=$EPOCHREALTIME mark=✓
    shift
    note=""
    if "$@" >"$work/step.log" 2>&1; then
        passed=$((passed + 1))
    else
        mark=✗ failed=$((failed + 1))
    fi
    printf '%s %s (%d ms)%s\n' "$mark" "$title" "$(milliseconds_since "$begin")" "${note:+: $note}"
    [[ $mark == ✓ ]] || tail -n 15 "$work/step.log" | sed 's/^/    /'
    [[ $mark == ✓ ]]
}

# A step without which the others make no sense.
first() {
    step "$@" && return 0
    echo "The rest needs this; ending."
    exit 1
}

build() {
    (cd "$root" && swift build -c release --product meshnode) || return 1
    binary=$(cd "$root" && swift build -c release --show-bin-path)/meshnode
    [[ -x $binary ]]
}

make_one_gibibyte() {
    # A stream cipher's output: random enough, and faster than /dev/urandom.
    openssl enc -aes-128-ctr -nosalt -K "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" \
        -iv 00000000000000000000000000000000 -in /dev/zero 2>/dev/null |
        head -c 1073741824 | tee "$work/www/big" | sha256sum >"$work/www/big.sha256.new" &&
        mv "$work/www/big.sha256.new" "$work/www/big.sha256"
}

start_servers() {
    mkdir -p "$work/nginx" "$work/www" || return 1
    cat >"$work/nginx/nginx.conf" <<-CONF
		user root;
		daemon off;
		worker_processes 1;
		pid $work/nginx/pid;
		error_log $work/nginx/error.log;
		events { worker_connections 4096; }
		http {
		    log_format who '\$remote_addr "\$request_uri" \$status';
		    access_log $work/nginx/access.log who;
		    client_body_temp_path $work/nginx/body;
		    proxy_temp_path $work/nginx/proxy;
		    fastcgi_temp_path $work/nginx/fastcgi;
		    uwsgi_temp_path $work/nginx/uwsgi;
		    scgi_temp_path $work/nginx/scgi;
		    keepalive_requests 100000;
		    sendfile on;
		    server {
		        listen 8080 backlog=4096;
		        listen [::]:8080 ipv6only=on backlog=4096;
		        location / { return 200 "api saw \$remote_addr\n"; }
		        location = /big { root $work/www; }
		    }
		}
	CONF
    : >"$work/nginx/access.log"
    start nginx api "$work/nginx.log" nginx -c "$work/nginx/nginx.conf" -e "$work/nginx/error.log"
    start redis cache "$work/redis.log" redis-server --bind 0.0.0.0 :: --port 6379 --protected-mode no \
        --save "" --appendonly no --dir "$work"
    start mail mail "$work/mail.log" "$python" -u -m aiosmtpd -n -l 0.0.0.0:2525
    wait_until 10 get api http://127.0.0.1:8080/ && wait_until 10 in_namespace cache redis-cli ping &&
        wait_until 10 in_namespace mail bash -c ': </dev/tcp/127.0.0.1/2525'
}

start_agents() {
    mkdir -p "$work/manifests" && cp "$here"/demo/manifests/*.yaml "$work/manifests/" || return 1
    local node
    for node in a b; do
        start agent "$node" "$work/agent-$node.log" "$binary" agent --config "$work/manifests" \
            --ca-directory "$work/ca" --node "node-$node" --run-directory "$work/run-$node" --drain-deadline 1s
        agent_pid[$node]=$started
    done
}

say_what_to_try() {
    if ((only_direct)); then
        printf '\nIt is left running, without a mesh. End it:\n  hack/demo.sh --stop\n'
        return
    fi
    cat <<-TRY

		It is left running. Try:
		  $binary status --socket $work/run-a/agent.sock
		  $binary connections --socket $work/run-b/agent.sock -o wide
		  nsenter --net=/run/netns/mn-demo-web curl http://$api_service_v4/
		  nsenter --net=/run/netns/mn-demo-web redis-cli -h $cache_service
		  cp $here/demo/policies/allow-batch.yaml $work/manifests/     # and the curl above is refused
		  tail -f $work/agent-b.log
		End it:
		  hack/demo.sh --stop
	TRY
}

main() {
    work=$(mktemp -d /tmp/mn-demo.XXXXXX) || exit 1
    chmod 755 "$work"
    echo "$work" >"$state/work"
    mkfifo "$work/never"

    first "Debian packages are installed" install_missing "${build_packages[@]}" "${demo_packages[@]}"
    if ((!only_direct)) && [[ -z $binary ]]; then
        command -v swift >/dev/null || {
            echo "hack/demo.sh: Swift 6.2 or later is needed: https://www.swift.org/install/linux/" >&2
            echo "If you have it and used sudo: sudo env PATH=\"\$PATH\" hack/demo.sh" >&2
            exit 1
        }
        echo "building meshnode: this takes some minutes the first time"
        first "meshnode is built (release)" build
    fi
    local begin=$EPOCHREALTIME

    first "two nodes and six pods, IPv4 and IPv6" make_topology
    first "nginx, redis and an SMTP server run in pods of node B" start_servers
    start gibibyte api "$work/gibibyte.log" bash -c "$(declare -f make_one_gibibyte); work='$work' make_one_gibibyte"
    step "without the mesh: the servers answer by pod address, and no one by service address" servers_answer_directly
    step "without the mesh: a canary in a request is readable on the wire" canary_is_readable_without_mesh

    if ((!only_direct)); then
        first "one agent per node is started" start_agents
        first "both agents are ready, all enrolled pods captured" agents_are_ready
        show_mesh
        step "meshnode status: healthy on both nodes" status_is_healthy
        echo
        meshnode a status
        echo
    fi

    echo "$passed passed, $failed failed, $(($(milliseconds_since "$begin") / 1000)) s after the build"
    ((failed == 0)) || exit 1
    ((!keeps)) || say_what_to_try
}

show_mesh() {
    step "shop/web on node A reaches pay/api on node B by service address, IPv4" web_reaches_service_v4
    step "... by service address, IPv6" web_reaches_service_v6
    step "... by pod address, IPv4; the server saw the client's address" web_reaches_pod_v4
    step "... by pod address, IPv6; the server saw the client's address" web_reaches_pod_v6
    step "a canary in a request is nowhere between the nodes, port 15008 is" wire_is_encrypted
    step "redis-benchmark through the mesh" redis_benchmark_passes
    step "SMTP, where the server speaks first" mail_passes
    step "1 GiB arrives with the same SHA-256" gigabyte_is_whole
    step "a policy allows shop/web: shop/batch is refused" policy_refuses_the_other
    step "meshnode connections says by which policy" connections_names_the_policy
    step "changing the policy closes the live connection of the one now denied" policy_change_closes_live_connection
    step "without the policy's file, everyone is allowed again" policy_is_gone_with_its_file
    step "a pod outside the mesh gets through in plaintext (PERMISSIVE)" outside_passes_under_permissive
    step "a pod outside the mesh is refused (STRICT)" outside_is_refused_under_strict
    step "kill -9 of the client's worker at 200 connects a second" worker_of_client_may_die
    step "kill -9 of the server's worker at 200 connects a second" worker_of_server_may_die
}

main
