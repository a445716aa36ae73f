# shellcheck shell=bash
# What the demo shows: one function per line of its output; sourced by demo.sh. A function ends with 0 if what its line
# says is true. It may set `note`, which is printed after the line.
# shellcheck disable=SC2154,SC2034  # work, binary, ... are set by demo.sh, and it reads note

note=""
api_v4=10.240.2.10 api_v6=fd00:240:0:2::10
api_service_v4=10.240.100.10 api_service_v6=fd00:240:0:100::10
cache_service=10.240.100.11
mail_service=10.240.100.12

# A word that nothing else on this machine contains.
make_canary() { echo "canary-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"; }

# Milliseconds since $1, an earlier $EPOCHREALTIME.
milliseconds_since() {
    local now=$EPOCHREALTIME
    echo $(((${now/[.,]/} - ${1/[.,]/}) / 1000))
}

# Tries "$@" every 20 ms until it succeeds; fails after $1 seconds. Every wait of the demo is one for an event.
wait_until() {
    local limit=$(($1 * 1000)) start=$EPOCHREALTIME
    shift
    until "$@" >/dev/null 2>&1; do
        if (($(milliseconds_since "$start") > limit)); then
            echo "still not true after $limit ms: $*"
            return 1
        fi
        read -r -t 0.02 <>"$work/never" || true
    done
}

# One GET from pod $1 of URL $2; prints the body.
get() { in_namespace "$1" curl -sS --globoff --fail --max-time 5 "$2"; }

# One GET that must not be answered, from pod $1 of URL $2: reset or closed by the mesh, and nothing of it in the
# server's log.
get_refused() {
    local mark status=0
    mark=$(make_canary)
    in_namespace "$1" curl -sv --globoff --max-time 5 -o /dev/null "$2?$mark" 2>"$work/curl" || status=$?
    # 52 empty reply, 56 receive error: accepted, then cut. The cut can be there before curl has looked at its connect
    # (7); then it was reset. A connect that is refused would be a missing agent, not a policy.
    [[ $status == 52 || $status == 56 ]] || { [[ $status == 7 ]] && grep -q "Connection reset" "$work/curl"; } || {
        echo "curl ended with $status: $(grep -i failed "$work/curl" | tail -n 1)"
        return 1
    }
    ! grep -q "$mark" "$work/nginx/access.log"
}

# One GET from shop/web of URL $1, and the server's own log must say that it came from $2.
get_as_web() {
    local mark
    mark=$(make_canary)
    get web "$1?$mark" | grep -q "api saw $2" || return 1
    wait_until 2 grep -q "^$2 .*$mark" "$work/nginx/access.log"
}

# --- before the mesh

servers_answer_directly() {
    get legacy "http://$api_v4:8080/" && get legacy "http://[$api_v6]:8080/" &&
        in_namespace legacy redis-cli -h 10.240.2.11 ping | grep -q PONG &&
        in_namespace legacy "$python" "$here/demo/send-mail.py" 10.240.2.12 2525 directly &&
        ! get legacy "http://$api_service_v4/"
}

canary_is_readable_without_mesh() {
    capture_canary legacy "http://$api_v4:8080/"
    ((canary_count > 0)) || return 1
    note="found $canary_count times in the packets between the nodes"
}

# --- the mesh

agents_are_ready() {
    local node
    for node in a b; do
        # An agent that has ended never gets ready; waiting would only hide why.
        if ! wait_until 20 agent_is_ready_or_ended "$node" || ! agent_is_ready "$node"; then
            echo "the agent of node $node is not ready; its log ends:"
            tail -n 15 "$work/agent-$node.log"
            return 1
        fi
    done
}

agent_is_ready_or_ended() { agent_is_ready "$1" || ! kill -0 "${agent_pid[$1]}"; }

agent_is_ready() {
    in_namespace "$1" curl -fs --max-time 1 http://127.0.0.1:15021/healthz/ready &&
        meshnode "$1" status && [[ $(status_field "$1" pods captured) == $(status_field "$1" pods enrolled) ]]
}

# A command that asks the agent of node $1.
meshnode() {
    local node=$1
    shift
    "$binary" "$@" --socket "$work/run-$node/agent.sock"
}

# A field of the status of node $1, such as `agent worker pid`.
status_field() {
    local node=$1
    shift
    meshnode "$node" status -o json | "$python" -c '
import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1:]:
    value = value[key]
print(value)' "$@"
}

web_reaches_service_v4() { get_as_web "http://$api_service_v4/" 10.240.1.10; }
web_reaches_service_v6() { get_as_web "http://[$api_service_v6]/" fd00:240:0:1::10; }
web_reaches_pod_v4() { get_as_web "http://$api_v4:8080/" 10.240.1.10; }
web_reaches_pod_v6() { get_as_web "http://[$api_v6]:8080/" fd00:240:0:1::10; }

wire_is_encrypted() {
    capture_canary web "http://$api_service_v4/"
    ((canary_count == 0)) || {
        echo "the canary was on the wire $canary_count times"
        return 1
    }
    local packets
    packets=$(tcpdump -nr "$work/wire.pcap" 'tcp port 15008' 2>/dev/null | wc -l)
    ((packets > 0)) || {
        echo "no packet of port 15008"
        return 1
    }
    note="$packets packets of port 15008, canary found 0 times"
}

# Makes a request with a canary in path, header and body from pod $1 to URL $2 while everything between the nodes is
# captured. Sets canary_count.
capture_canary() {
    local canary marker
    canary=$(make_canary)
    marker=$(make_canary)
    rm -f "$work/wire.pcap"
    start tcpdump a "$work/tcpdump.log" tcpdump -i uplink -s 0 -U --immediate-mode -w "$work/wire.pcap"
    local pid=$started
    wait_until 5 grep -q 'listening on' "$work/tcpdump.log" || return 1
    in_namespace "$1" curl -sS --globoff --fail --max-time 5 -H "x-canary: $canary" -d "$canary" "$2?$canary" || return 1
    # Packets are written in the order they pass: once the marker is in the file, all before it are.
    # shellcheck disable=SC2016  # expanded by the shell inside
    in_namespace a bash -c 'printf %s "$1" >/dev/udp/10.240.0.2/9' - "$marker"
    wait_until 5 grep -qa "$marker" "$work/wire.pcap" || return 1
    stop "$pid"
    canary_count=$(grep -ao "$canary" "$work/wire.pcap" | wc -l)
}

redis_benchmark_passes() {
    local before after
    before=$(redis_commands) || return 1
    in_namespace web timeout 20 redis-benchmark -h "$cache_service" -p 6379 -c 32 -n 20000 -t set,get --csv \
        >"$work/redis-benchmark.csv" || return 1
    after=$(redis_commands) || return 1
    # The server has counted them, not only the client.
    ((after - before >= 40000)) || {
        echo "the server saw only $((after - before)) commands"
        return 1
    }
    note=$(awk -F'","|"' '/SET|GET/ { printf "%s%s %d/s", sep, $2, $3; sep = ", " }' "$work/redis-benchmark.csv")
}

redis_commands() {
    in_namespace cache redis-cli info stats | tr -d '\r' | awk -F: '$1 == "total_commands_processed" { print $2 }'
}

mail_passes() {
    local canary
    canary=$(make_canary)
    in_namespace web "$python" "$here/demo/send-mail.py" "$mail_service" 25 "$canary" &&
        wait_until 2 grep -q "$canary" "$work/mail.log"
}

gigabyte_is_whole() {
    wait_for_file_of_one_gibibyte || return 1
    local wanted got begin=$EPOCHREALTIME
    wanted=$(<"$work/www/big.sha256")
    got=$(in_namespace web curl -sS --fail --max-time 45 "http://$api_service_v4/big" | sha256sum) || return 1
    [[ $got == "$wanted" ]] || {
        echo "sent $wanted, got $got"
        return 1
    }
    local took
    took=$(milliseconds_since "$begin")
    note="${wanted:0:16}..., $((1024 * 1000 / took)) MiB/s"
}

wait_for_file_of_one_gibibyte() {
    wait_until 30 test -s "$work/www/big.sha256" &&
        [[ $(stat -c %s "$work/www/big") == $((1024 * 1024 * 1024)) ]]
}

# --- policy

put_policy() {
    # A rename, so that the agents never see half a file.
    cp "$here/demo/policies/$1.yaml" "$work/policy.new" && mv "$work/policy.new" "$work/manifests/$2.yaml"
}

policy_refuses_the_other() {
    get batch "http://$api_service_v4/" || return 1
    local begin=$EPOCHREALTIME
    put_policy allow-web api-policy || return 1
    wait_until 3 get_refused batch "http://$api_service_v4/" || return 1
    note="in force after $(milliseconds_since "$begin") ms"
    get_refused batch "http://$api_v4:8080/" && get web "http://$api_service_v4/"
}

connections_names_the_policy() {
    meshnode b connections -o wide >"$work/connections.txt" || return 1
    grep -E 'shop/batch .*NO_ALLOW_MATCH .*pay/api-callers' "$work/connections.txt" >"$work/refused.txt" || {
        cat "$work/connections.txt"
        return 1
    }
    note="NO_ALLOW_MATCH pay/api-callers"
}

policy_change_closes_live_connection() {
    start holder web "$work/held.log" "$python" "$here/demo/held-connection.py" "$api_service_v4" 80 10
    local pid=$started
    wait_until 5 grep -q open "$work/held.log" || return 1
    local begin=$EPOCHREALTIME
    put_policy allow-batch api-policy || return 1
    wait_until 3 grep -q closed "$work/held.log" || {
        cat "$work/held.log"
        return 1
    }
    note="closed after $(milliseconds_since "$begin") ms"
    stop "$pid"
    get batch "http://$api_service_v4/" && get_refused web "http://$api_service_v4/" &&
        meshnode b connections | grep -q POLICY_CHANGED
}

policy_is_gone_with_its_file() {
    rm "$work/manifests/api-policy.yaml" && wait_until 3 get web "http://$api_service_v4/"
}

outside_passes_under_permissive() {
    get legacy "http://$api_v4:8080/" && get legacy "http://[$api_v6]:8080/"
}

outside_is_refused_under_strict() {
    local begin=$EPOCHREALTIME
    put_policy strict strict || return 1
    wait_until 3 get_refused legacy "http://$api_v4:8080/" || return 1
    note="in force after $(milliseconds_since "$begin") ms"
    get_refused legacy "http://[$api_v6]:8080/" && get web "http://$api_service_v4/" &&
        meshnode b connections | grep -q PLAINTEXT_REFUSED
}

# --- the worker dies

worker_of_client_may_die() { worker_may_die a; }
worker_of_server_may_die() { worker_may_die b; }

# Kills the worker of node $1 while shop/web connects 200 times a second.
worker_may_die() {
    local pid
    pid=$(status_field "$1" agent worker pid) && [[ $pid =~ ^[0-9]+$ ]] || return 1
    start steady web "$work/steady.log" "$python" "$here/demo/steady-client.py" "$api_service_v4" 80 3
    local client=$started
    wait_until 5 grep -q ready "$work/steady.log" || return 1
    # It is a child of the agent that this demo started.
    kill -KILL "$pid" || return 1
    wait "$client" || return 1
    local result
    result=$(tail -n 1 "$work/steady.log")
    "$python" - "$result" "$work/note" <<-'PYTHON' || return 1
		import json, sys
		r = json.loads(sys.argv[1])
		print(r)
		open(sys.argv[2], "w").write(
		    f"{r['attempts']} connects, {r['refused']} refused, {r['reset']} reset, longest gap {r['longest_gap_ms']} ms")
		sys.exit(0 if r["refused"] == 0 and r["hung"] == 0 and 0 < r["longest_gap_ms"] <= 500 and r["answered"] > 300 else 1)
	PYTHON
    note=$(<"$work/note")
    local now
    wait_until 5 agent_is_ready "$1" || return 1
    now=$(status_field "$1" agent worker pid)
    [[ $now != "$pid" ]]
}

# --- the end

status_is_healthy() {
    wait_until 5 meshnode a status && wait_until 5 meshnode b status
}
