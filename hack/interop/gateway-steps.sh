# shellcheck shell=bash disable=SC2154,SC2034  # work, here, ... are set by interop.sh, and it reads note
# Envoy dials, our agent ends mTLS and CONNECT: what comes to 127.0.0.1 in edge/gateway goes to pay/api on node B; sourced
# by interop.sh.

here_in_gateway=127.0.0.1
gateway_identity=spiffe://cluster.local/ns/edge/sa/gateway

show_gateway() {
    step "Envoy -> agent: 3,200 small requests on 32 connections" small_requests gateway "$here_in_gateway"
    step "Envoy's certificate is the source principal, whatever its baggage says" agent_sees_identity
    step "Envoy -> agent: $file_title up, SHA-256" file_goes_up gateway "$here_in_gateway"
    step "Envoy <- agent: $file_title down, SHA-256" file_comes_down gateway "$here_in_gateway"
    step "500 streams at a time, on several sessions as the agent allows 200 on each" \
        many_streams gateway "$here_in_gateway" 500 sessions_of_gateway
    step "half-close: the application behind the agent ends first, what comes later arrives" \
        late_words_arrive gateway "$here_in_gateway" api
    step "the application behind the agent resets: the client sees a reset, or Envoy's end of one" \
        application_reset_reaches_envoy
    step "the agent is replaced in mid-traffic, its GOAWAY sends Envoy to the new one: nothing fails" agent_sends_away
    step "no application behind the agent: Envoy is answered 503" nothing_behind_agent
    step "a policy without Envoy's principal: 401, and the reason names the policy" policy_refuses_envoy
    step "a policy with Envoy's principal: Envoy gets through, shop/web does not" policy_allows_envoy
    step "without the policy everyone gets through" policy_is_gone
    step "the agent's worker is killed: Envoy finds the next one" worker_is_killed
}

agent_sees_identity() {
    many_streams gateway "$here_in_gateway" 500 identities_at_api
}

identities_at_api() {
    query b "' '.join(sorted({str(c['source'].get('identity')) for c in it['live']
        if c['destination']['address'] == '$api:7000'}))" connections | tee "$work/identities.txt"
    [[ $(<"$work/identities.txt") == "$gateway_identity" ]]
}

sessions_of_gateway() {
    local streams sessions seen
    streams=$(envoy_stat gateway cluster.meshnode.upstream_rq_active)
    sessions=$(envoy_stat gateway cluster.meshnode.upstream_cx_active)
    seen=$(query b "len([c for c in it['live'] if c['destination']['address'] == '$api:7000'])" connections)
    echo "$streams streams on $sessions sessions, the agent shows $seen"
    ((streams == 500 && seen == 500 && sessions >= 3 && sessions <= 20))
}

# Envoy makes a plain end of a reset stream in this role (its TCP proxy closes with FIN); the agent must have sent one.
application_reset_reaches_envoy() {
    local before after
    before=$(envoy_stat gateway cluster.meshnode.http2.rx_reset)
    is_refused gateway "$here_in_gateway" 7004 || return 1
    after=$(envoy_stat gateway cluster.meshnode.http2.rx_reset)
    note+="; Envoy has read $((after - before)) RST_STREAM"
    ((after == before + 1))
}

agent_sends_away() {
    local old=${agent_pid[b]}
    start_traffic gateway "$here_in_gateway" && replace_agent || return 1
    # The one long stream keeps the old agent until it is told to end.
    wait_until 10 dialled_again || return 1
    judge_traffic || return 1
    wait_until 20 has_ended "$old" || return 1
    note+="; $(envoy_stat gateway cluster.meshnode.upstream_cx_close_notify) sessions sent away"
}

dialled_again() { (($(envoy_stat gateway cluster.meshnode.upstream_cx_close_notify) > 0)); }

nothing_behind_agent() {
    is_refused gateway "$here_in_gateway" 7503 && envoy_was_answered 7503 503 && reason_is b 7503 '^UPSTREAM_REFUSED '
}

# Whether Envoy's access log says that the last stream for port $1 was answered with status $2.
envoy_was_answered() {
    wait_until 15 grep -q "port=$1 .*\"$2\"" "$work/peer-gateway/access.log" && return 0
    tail -n 3 "$work/peer-gateway/access.log"
    return 1
}

put_interop_policy() {
    cp "$here/interop/policies/$1.yaml" "$work/policy.new" && mv "$work/policy.new" "$work/node-a/manifests/api-policy.yaml"
}

policy_refuses_envoy() {
    put_interop_policy allow-web && wait_until 5 is_refused gateway "$here_in_gateway" 7000 || return 1
    envoy_was_answered 7000 401 && reason_is b 7000 '^NO_ALLOW_MATCH .*pay/api-callers' &&
        call web requests "$api" 7000 1 1
}

policy_allows_envoy() {
    put_interop_policy allow-gateway && wait_until 5 call gateway requests "$here_in_gateway" 7000 1 1 || return 1
    wait_until 5 is_refused web "$api" 7000 && reason_is a 7000 '^POLICY_DENY .*401'
}

policy_is_gone() {
    rm "$work/node-a/manifests/api-policy.yaml" && wait_until 5 call web requests "$api" 7000 1 1 &&
        call gateway requests "$here_in_gateway" 7000 1 1
}

worker_is_killed() {
    local pid before
    pid=$(worker_of b) && [[ $pid =~ ^[0-9]+$ ]] || return 1
    start gateway "$work/long.log" "$python" "$here/interop/caller.py" steady "$here_in_gateway" 7000
    long_pid=$started
    wait_until 10 grep -q ready "$work/long.log" || return 1
    # It is a child of the agent that this script started.
    kill -KILL "$pid" || return 1
    workers_killed=$((workers_killed + 1))
    wait_until 5 has_ended "$long_pid" || return 1
    ! wait "$long_pid" || return 1
    cat "$work/long.log"
    wait_until 5 has_another_worker b "$pid" && wait_until 5 call gateway requests "$here_in_gateway" 7000 5 5 &&
        wait_until 5 is_ready b
}
