# shellcheck shell=bash
# What the demo shows: one function per line of its output; sourced by demo.sh. A function ends with 0 if what its line
# says is true. It may set `note`, which is printed after the line.
# shellcheck disable=SC2154,SC2034  # work, binary, ... are set by demo.sh, and it reads note

api_v4=10.240.2.10 api_v6=fd00:240:0:2::10
archive_v4=10.240.2.13 archive_v6=fd00:240:0:2::13
api_service_v4=10.240.100.10 api_service_v6=fd00:240:0:100::10
cache_service=10.240.100.11
mail_service=10.240.100.12

# One GET from pod $1 of URL $2; prints the body. Takes $3 seconds at most.
get() { in_namespace "$1" curl -sS --globoff --fail --max-time "${3:-5}" "$2"; }

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
    ! grep -q "$mark" "$work/nginx-api/access.log"
}

# One GET from shop/web of URL $1, and the server's own log must say that it came from $2.
get_as_web() {
    local mark
    mark=$(make_canary)
    get web "$1?$mark" | grep -q "api saw $2" || return 1
    wait_until 2 grep -q "^$2 .*$mark" "$work/nginx-api/access.log"
}

# --- plaintext

# Without agents.
servers_answer_directly() {
    get legacy "http://$api_v4:8080/" && get legacy "http://[$api_v6]:8080/" &&
        in_namespace legacy redis-cli -h 10.240.2.11 ping | grep -q PONG &&
        in_namespace legacy "$python" "$here/demo/send-mail.py" 10.240.2.12 2525 directly &&
        ! get legacy "http://$api_service_v4/"
}

outside_is_left_alone() {
    get legacy "http://$archive_v4:8080/" && get legacy "http://[$archive_v6]:8080/" || return 1
    ! get legacy "http://$api_service_v4/" || return 1
    # No rule of the mesh, and none of its listeners.
    ! in_namespace legacy ss -Hltn | grep -E ':150[0-9][0-9] ' || return 1
    wait_until 2 grep -q "^10.240.1.12 " "$work/nginx-archive/access.log"
}

# A canary from outside/legacy to pod $1 with address $2.
canary_is_readable() {
    capture_canary legacy "http://$2:8080/" || return 1
    ((canary_count > 0)) || return 1
    note="to $1: found $canary_count times in the packets between the nodes"
}

# --- the mesh

controller_is_ready() { start_agent a && wait_until_ready a; }

other_node_joins() {
    local begin=$EPOCHREALTIME
    let_node_b_join && start_agent b && wait_until_ready b || return 1
    note="ready after $(milliseconds_since "$begin") ms"
}

mesh_is_whole() {
    wait_until 20 sees_whole_mesh a 2 3 && wait_until 20 sees_whole_mesh b 2 3 && return 0
    meshnode a status
    meshnode b status
    return 1
}

status_is_healthy() {
    wait_until 5 meshnode a status && wait_until 5 meshnode b status
}

chain_checks_out() {
    local pod
    for pod in "${demo_pods[@]}"; do
        chain check "$pod" || return 1
    done
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
    canary_count=0
    rm -f "$work/wire.pcap"
    start a "$work/tcpdump.log" tcpdump -i uplink -s 0 -U --immediate-mode -w "$work/wire.pcap"
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
    cp "$here/demo/policies/$1.yaml" "$work/policy.new" && mv "$work/policy.new" "$work/node-a/manifests/$2.yaml"
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
    start web "$work/held.log" "$python" "$here/demo/held-connection.py" "$api_service_v4" 80 10
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
    rm "$work/node-a/manifests/api-policy.yaml" && wait_until 3 get web "http://$api_service_v4/"
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

# --- explained

# What the policy refuses and what it allows, asked before anybody connects.
explain_foresees() {
    local status=0
    meshnode a explain shop/batch pay/api:8080 >"$work/explain.txt" || status=$?
    cat "$work/explain.txt"
    [[ $status == 2 ]] && grep -q 'pay/api-callers' "$work/explain.txt" &&
        grep -q 'source.principals' "$work/explain.txt" || return 1
    screen a explain-denied explain shop/batch pay/api:8080
    # Node B answers the same, and the client that is named has another answer.
    status=0
    meshnode b explain shop/batch pay/api:8080 >"$work/explain.txt" || status=$?
    [[ $status == 2 ]] && meshnode a explain shop/web pay/api:8080 && meshnode b explain shop/web pay/api:8080 || return 1
    screen a explain-allowed explain shop/web pay/api:8080
    note="denied: $(grep -om1 'from\[[^ ]*source.principals' "$work/explain.txt"), exit status 2"
}

explain_recalls() {
    local id status=0
    id=$(query b '[r["id"] for r in it["refused"] if r["source"].get("workload") == "batch"][-1]' connections) || return 1
    meshnode b explain --id "$id" >"$work/explain.txt" || status=$?
    cat "$work/explain.txt"
    [[ $status == 2 ]] && grep -q 'pay/api-callers' "$work/explain.txt" &&
        grep -q 'source.principals' "$work/explain.txt" || return 1
    screen b explain-id explain --id "$id"
    note="$id"
}

edges_are_shown() {
    meshnode a edges >"$work/edges.txt" || return 1
    cat "$work/edges.txt"
    grep -qE 'shop/web .*pay/api .*mTLS' "$work/edges.txt" && grep -qE 'shop/batch .*pay/api' "$work/edges.txt" || return 1
    screen a edges edges
}
