# shellcheck shell=bash disable=SC2154,SC2034  # work, binary, ... are set by demo.sh, and it reads note
# What the demo shows of beginnings and ends: of pods, workers, agents and certificates; sourced by demo.sh. As in
# steps.sh a function is one line of the output.

# --- 200 connects a second

steady_pid=0

# Lets shop/web connect to pay/api 200 times a second, for $1 seconds or until judge_steady.
start_steady() {
    start web "$work/steady.log" "$python" "$here/demo/steady-client.py" "$api_service_v4" 80 "$1"
    steady_pid=$started
    wait_until 5 grep -q ready "$work/steady.log"
}

# Waits for the end of it. Python condition $1 must be true of its tally, `r`; sets `note`.
judge_steady() {
    local status=0
    wait "$steady_pid" || status=$?
    ((status == 0)) || {
        echo "the client ended with $status:"
        tail -n 5 "$work/steady.log"
        return 1
    }
    tail -n 1 "$work/steady.log"
    note=$(tail -n 1 "$work/steady.log" | "$python" -c '
import json, sys
r = json.load(sys.stdin)
print("{attempts} connects, {refused} refused, {reset} reset, longest gap {longest_gap_ms} ms".format(**r))
sys.exit(not eval(sys.argv[1], {"r": r}))' "$1")
}

stop_steady() { kill -TERM "$steady_pid"; }

none_failed='r["refused"] == r["reset"] == r["hung"] == 0 and r["answered"] == r["attempts"] > 100'

# --- pods

# A pod whose own process has one of the ports that capture needs.
uncapturable_pod_does_not_start() {
    local pod=blocked:a status=0 servers=() port
    cp "$here/demo/blocked.yaml" "$work/node-a/manifests/pod-blocked.yaml" && make_sandbox blocked || return 1
    servers+=("$started")
    for port in 15001 8080; do
        start_in_pod blocked "$work/blocked-$port.log" "$python" -u -m http.server --bind :: "$port"
        servers+=("$started")
        wait_until 5 in_namespace blocked bash -c ": </dev/tcp/127.0.0.1/$port" || return 1
    done
    # A runtime takes down a sandbox that has failed, and so does this.
    chain add "$pod" >"$work/blocked.result" || status=$?
    cat "$work/blocked.result"
    ((status != 0)) && grep -q 15001 "$work/blocked.result" || return 1
    note=$("$python" -c 'import json, sys; print(json.load(sys.stdin)["msg"])' <"$work/blocked.result")
    # Nobody gets plaintext out of it.
    ! get legacy http://10.240.1.13:8080/ 1 && ! get legacy 'http://[fd00:240:0:1::13]:8080/' 1 &&
        ! grep -q GET "$work/blocked-8080.log" || return 1
    for port in "${servers[@]}"; do
        stop "$port"
    done
    rm "$work/node-a/manifests/pod-blocked.yaml" && ip netns del mn-demo-blocked
}

deleted_pod_is_released() {
    in_namespace batch ss -Hltn | grep -q ':15001 ' || return 1
    chain del batch:a || return 1
    # Before the namespace goes: nothing of ours may keep it.
    wait_until 5 has_no_listener batch || return 1
    rm "$work/node-a/manifests/pod-batch.yaml" && ip netns del mn-demo-batch &&
        wait_until 10 sees_whole_mesh a 1 3 && ! meshnode a workloads | grep shop/batch
}

has_no_listener() { [[ -z $(in_namespace "$1" ss -Hltn) ]]; }

# --- workers

worker_of_client_may_die() { worker_may_die a; }
worker_of_server_may_die() { worker_may_die b; }

# Kills the worker of node $1 while shop/web connects 200 times a second.
worker_may_die() {
    local pid
    pid=$(worker_of "$1") || return 1
    start_steady 3 || return 1
    # It is a child of the agent that this demo started.
    kill -KILL "$pid" || return 1
    judge_steady 'r["refused"] == r["hung"] == 0 < r["longest_gap_ms"] <= 500 and r["answered"] > 200' || return 1
    wait_until 5 is_ready "$1" && wait_until 5 has_another_worker "$1" "$pid"
}

has_another_worker() { local now; now=$(worker_of "$1") && [[ $now != "$2" ]]; }

# --- agents

# Node A loses its agent, and the mesh its controller.
node_a_is_down() {
    stop "${agent_pid[a]}"
    # Captured pods of node A reach nobody, above all not in plaintext.
    ! get web "http://$api_service_v4/" && ! get web "http://$api_v4:8080/" || return 1
    # Pods of node B go on: those among each other through the mesh, with new connections.
    local count
    for ((count = 0; count < 20; count++)); do
        get mail "http://$api_service_v4/" || return 1
    done
    in_namespace mail redis-cli -h "$cache_service" ping | grep -q PONG || return 1
    # Node B's agent says what is missing.
    wait_until 20 misses_controller b || return 1
    screen b status-without-controller status
}

misses_controller() {
    local status=0
    meshnode "$1" status >"$work/status.txt" || status=$?
    [[ $status == 2 ]] && grep -qE '^Controller +LOST' "$work/status.txt"
}

node_a_is_back() {
    local begin=$EPOCHREALTIME
    start_agent a && wait_until_ready a || return 1
    note="ready after $(milliseconds_since "$begin") ms, whole after"
    wait_until 20 sees_whole_mesh a 2 3 && wait_until 20 sees_whole_mesh b 2 3 || return 1
    note+=" $(milliseconds_since "$begin") ms"
    get_as_web "http://$api_service_v4/" 10.240.1.10
}

# Replaces node B's agent by another with the same options, which takes over what is open.
replace_agent() {
    local old_worker
    old_worker=$(worker_of b) || {
        meshnode b status --local
        return 1
    }
    start_agent b --take-over && wait_until 10 has_another_worker b "$old_worker" && wait_until_ready b
}

agent_is_upgraded() {
    local old=${agent_pid[b]} long answers
    start_steady 60 || return 1
    start web "$work/held.log" "$python" "$here/demo/held-connection.py" "$api_service_v4" 80 60
    long=$started
    wait_until 5 grep -q open "$work/held.log" && replace_agent || return 1
    # The stream from before goes on for a while, carried by the old agent.
    answers=$(grep -c answers "$work/held.log")
    wait_until 5 has_answers "$((answers + 20))" || return 1
    stop "$long"
    wait_until 15 has_ended "$old" || return 1
    stop_steady
    judge_steady "$none_failed"
}

has_answers() { (($(grep -c answers "$work/held.log") >= $1)); }

# Twenty, or as many as there is time for.
agent_is_upgraded_in_a_row() {
    local old count begin=$EPOCHREALTIME
    start_steady 120 || return 1
    for ((count = 0; count < 3 || (count < 20 && $(milliseconds_since "$begin") < 25000); count++)); do
        old=${agent_pid[b]}
        if ! replace_agent || ! wait_until 15 has_ended "$old"; then
            echo "hand-over $((count + 1)); the new agent's log ends:"
            tail -n 8 "${agent_log[b]}" | cut -c1-200
            return 1
        fi
    done
    stop_steady
    judge_steady "$none_failed" || return 1
    note="$count hand-overs, $note"
}

# --- certificates

# Who signed the certificate that the pod with address $1 shows to whoever connects, as anybody can see it.
signer_at() {
    local shown
    # A client without a certificate is refused, after it has seen the server's.
    shown=$(in_namespace a timeout 5 openssl s_client -connect "$1:15008" -alpn h2 2>/dev/null </dev/null) || true
    openssl x509 -noout -issuer <<<"$shown" 2>/dev/null | sed -n 's/.*CN = //p'
}

# Whether no captured pod shows a certificate of issuer $1 any more.
all_have_another_signer() {
    local address now
    for address in 10.240.1.10 10.240.1.11 10.240.2.10 10.240.2.11 10.240.2.12; do
        now=$(signer_at "$address")
        [[ -n $now && $now != "$1" ]] || return 1
    done
}

# Whether the certificate by which node B is known to the controller is not of issuer $1 any more.
node_b_has_another_signer() {
    local now
    now=$(openssl x509 -noout -issuer -in "$work/node-b/state/node-cert.pem" 2>/dev/null | sed -n 's/.*CN = //p')
    [[ -n $now && $now != "$1" ]]
}

authority() { "$binary" authority "$@" --ca-directory "$work/node-a/ca"; }

root_rotates() {
    local before after
    before=$(signer_at "$api_v4")
    [[ -n $before ]] && start_steady 180 || return 1
    authority rotate begin || return 1
    # The new root may not sign before everybody has heard of it: until then this command refuses.
    wait_until 15 authority rotate activate || return 1
    # Every pod gets a certificate of the new root within seconds, and so does node B itself.
    wait_until 60 all_have_another_signer "$before" && wait_until 60 node_b_has_another_signer "$before" || return 1
    # Without --force it waits until the last certificate of the old root has run out.
    authority rotate finish --force || return 1
    if ! wait_until 20 sees_whole_mesh b 2 3; then
        meshnode b status
        return 1
    fi
    after=$(signer_at "$api_v4")
    stop_steady
    judge_steady "$none_failed" && get_as_web "http://$api_service_v4/" 10.240.1.10 || return 1
    note+="; $before, then $after"
}
