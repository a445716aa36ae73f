# shellcheck shell=bash disable=SC2154,SC2034  # work, here, ... are set by interop.sh, and it reads note
# Our agent dials, Envoy ends mTLS and CONNECT: shop/web on node A calls the pods of node C; sourced by interop.sh.

show_waypoint() {
    step "agent -> Envoy: 3,200 small requests on 32 connections" small_requests web "$waypoint"
    step "Envoy sees the SPIFFE identity of shop/web, and baggage" envoy_sees_identity
    step "agent -> Envoy: $file_title up, SHA-256" file_goes_up web "$waypoint"
    step "agent <- Envoy: $file_title down after the client's half-close, SHA-256" file_comes_down web "$waypoint" quiet
    step "500 streams at a time, on several sessions as Envoy allows 100 on each" \
        many_streams web "$waypoint" 500 sessions_at waypoint 500 100
    step "200 streams at a time, with an Envoy that allows 10 on each session" \
        many_streams web "$leaver" 200 sessions_at leaver 200 10
    step "half-close: the application behind Envoy ends first: its last word arrives, the client may go on" \
        last_word_passes_envoy
    step "the application behind Envoy resets: the client sees a reset" reset_arrives web "$waypoint"
    step "Envoy sends sessions away in mid-traffic (after 40 streams, after 2 s): nothing fails" envoy_sends_away
    step "Envoy fails its health check and sends GOAWAY with each answer: nothing fails" envoy_is_unwell
    step "Envoy's RBAC refuses (403): the reason says so" envoy_refuses
    step "no application behind Envoy (503): the reason says so" nothing_behind_envoy
    step "Envoy is killed: open connections are cut, new ones refused, both with the reason" envoy_is_killed
    step "Envoy comes back as somebody else: refused, SAN_MISMATCH" envoy_is_somebody_else
    step "Envoy comes back as itself" envoy_is_back
    if ((is_quick)); then
        echo "- Envoy falls silent: skipped, as asked (--quick)"
    else
        step "Envoy falls silent (SIGSTOP): open connections are cut, and the reason says that no PING was answered" \
            envoy_falls_silent
    fi
}

envoy_sees_identity() {
    local line
    wait_until 15 grep -q "10.240.3.10:7000 200" "$work/peer-waypoint/access.log" || return 1
    line=$(grep "10.240.3.10:7000 200" "$work/peer-waypoint/access.log" | tail -n 1)
    echo "$line"
    [[ $line == "spiffe://cluster.local/ns/shop/sa/web "* && $line == *k8s.namespace.name=shop* ]] &&
        note=${line%% *}
}

# Prints how many streams the Envoy in pod $1 has, and on how many sessions. There must be $2, with at most $3 on each,
# and not many more sessions than that needs.
sessions_at() {
    local streams sessions least=$(($2 / $3))
    streams=$(envoy_stat "$1" http.hbone.downstream_cx_upgrades_active)
    sessions=$(envoy_stat "$1" http.hbone.downstream_cx_http2_active)
    echo "$streams streams on $sessions sessions"
    ((streams == $2 && sessions >= least && sessions <= 3 * least))
}

sent_away() { envoy_stat leaver "http.hbone.downstream_cx_max_$1_reached"; }

envoy_sends_away() {
    local requests durations
    requests=$(sent_away requests) durations=$(sent_away duration)
    start_traffic web "$leaver" || return 1
    wait_until 20 were_sent_away "$requests" "$durations" || return 1
    judge_traffic || return 1
    note+="; $(($(sent_away requests) - requests)) sessions were full, $(($(sent_away duration) - durations)) too old"
}

# The one connection that stays keeps one old session; others take its place.
were_sent_away() { (($(sent_away requests) >= $1 + 5 && $(sent_away duration) >= $2 + 1)); }

envoy_is_unwell() {
    local before sessions
    before=$(envoy_stat waypoint http.hbone.downstream_cx_drain_close)
    start_traffic web "$waypoint" && ask_envoy waypoint /healthcheck/fail -X POST || return 1
    wait_until 10 was_drained "$((before + 5))" || return 1
    ask_envoy waypoint /healthcheck/ok -X POST && judge_traffic || return 1
    note+="; $(($(envoy_stat waypoint http.hbone.downstream_cx_drain_close) - before)) sessions drained"
}

was_drained() { (($(envoy_stat waypoint http.hbone.downstream_cx_drain_close) >= $1)); }

envoy_refuses() {
    is_refused web "$waypoint" 7403 && reason_is a 7403 '403' &&
        (($(envoy_stat waypoint http.hbone.rbac.denied) > 0))
}

nothing_behind_envoy() { is_refused web "$waypoint" 7503 && reason_is a 7503 '^UPSTREAM_REFUSED .*503'; }

envoy_is_killed() {
    local seen
    start web "$work/long.log" "$python" "$here/interop/caller.py" steady "$leaver" 7000
    long_pid=$started
    wait_until 10 grep -q ready "$work/long.log" || return 1
    kill -KILL "${envoy_pid[leaver]}"
    wait "${envoy_pid[leaver]}" 2>/dev/null
    wait_until 5 has_ended "$long_pid" || return 1
    ! wait "$long_pid" || return 1
    cat "$work/long.log"
    reason_is a 7000 '^PEER_RESET ' || return 1
    seen=$note
    is_refused web "$leaver" 7001 && reason_is a 7001 '^UPSTREAM_REFUSED .*refused' || return 1
    note="$seen; then $note"
}

envoy_is_somebody_else() {
    issue leaver spiffe://cluster.local/ns/edge/sa/somebody && start_envoy leaver || return 1
    is_refused web "$leaver" 7002 && reason_is a 7002 '^SAN_MISMATCH .*edge/sa/somebody'
}

envoy_is_back() {
    stop "${envoy_pid[leaver]}"
    issue leaver spiffe://cluster.local/ns/edge/sa/leaver && start_envoy leaver &&
        call_and_note web requests "$leaver" 7000 10 10
}

envoy_falls_silent() {
    local begin status=0
    start web "$work/long.log" "$python" "$here/interop/caller.py" steady "$leaver" 7000
    long_pid=$started
    wait_until 10 grep -q ready "$work/long.log" || return 1
    begin=$EPOCHREALTIME
    kill -STOP "${envoy_pid[leaver]}"
    wait_until 20 has_ended "$long_pid" || status=1
    local took
    took=$(milliseconds_since "$begin")
    reason_is a 7000 '^UPSTREAM_TIMEOUT .*PING' || status=1
    kill -CONT "${envoy_pid[leaver]}"
    ! wait "$long_pid" || status=1
    cat "$work/long.log"
    note+=", after $took ms"
    return "$status"
}

# Envoy ends a stream of which the answer is over with RST_STREAM(NO_ERROR): nothing of the answer may be lost, and the
# client, which knows of nothing, is not cut for a few bytes more.
last_word_passes_envoy() { call web late "$waypoint" 7003 100000; }
