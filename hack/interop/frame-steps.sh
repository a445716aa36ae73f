# shellcheck shell=bash disable=SC2154,SC2034  # work, here, ... are set by interop.sh, and it reads note
# HTTP/2 frame by frame, with python's hyperframe, in both directions; sourced by interop.sh.

show_frames() {
    local name port how title
    while IFS=$'\t' read -r name title <&3; do
        step "$title" frame_case "$name"
    done 3< <("$python" "$here/interop/frames.py" list)
    while IFS=$'\t' read -r port how title <&3; do
        step "agent -> python: $title" odd_case "$port" "$how"
    done 3< <("$python" "$here/interop/odd.py" list)
    step "agent -> python: a last word, END_STREAM and RST_STREAM with NO_ERROR: all of it arrives" last_word_arrives
    step "agent -> python: 8 streams get no credit, a 9th goes on at full speed" ninth_stream_is_fast
    step "agent -> python: the reason of a session that broke HTTP/2 says so" broken_session_is_named
}

# A case of frames.py, from pod gateway to pod api.
frame_case() {
    local said status=0
    said=$(INTEROP_FILE=$file in_namespace gateway timeout 120 "$python" "$here/interop/frames.py" run "$1" "$api" \
        "$work/peer-gateway" 2>&1) || status=$?
    echo "$said"
    note=$(tail -n 1 <<<"$said")
    return "$status"
}

odd_case() {
    case $2 in
        echo) call_and_note web requests "$odd" "$1" 3 20 ;;
        refused) is_refused web "$odd" "$1" ;;
    esac
}

last_word_arrives() {
    local digest i
    digest=$(for ((i = 0; i < 5000; i++)); do echo goodbye; done | sha256sum | cut -d' ' -f1)
    call_and_note web download "$odd" 7111 && [[ $note == "sha256 $digest 40000" ]]
}

ninth_stream_is_fast() {
    local content=$work/ninth begin alone beside pids=() pid status=0 i
    head -c $((32 << 20)) "$file" >"$content"
    begin=$EPOCHREALTIME
    call web upload "$odd" 7002 "$content" || return 1
    alone=$(milliseconds_since "$begin")
    for ((i = 0; i < 8; i++)); do
        # To one that gives no credit; it is ended below.
        start web "$work/stalled-$i.log" "$python" "$here/interop/caller.py" upload "$odd" 7005 "$content"
        pids+=("$started")
    done
    wait_until 10 streams_are_open 7005 8 || status=1
    begin=$EPOCHREALTIME
    call web upload "$odd" 7002 "$content" || status=1
    beside=$(milliseconds_since "$begin")
    streams_are_open 7005 8 || status=1
    for pid in "${pids[@]}"; do
        stop "$pid"
    done
    note="$((32 * 1000 / beside)) MiB/s, alone $((32 * 1000 / alone)) MiB/s"
    ((status == 0 && beside < 2 * alone + 200))
}

streams_are_open() {
    [[ $(query a "len([c for c in it['live'] if c['destination']['address'].endswith(':$1')])" connections) == "$2" ]]
}

broken_session_is_named() { is_refused web "$odd" 7603 && reason_is a 7603 '^PEER_RESET .*PROTOCOL_ERROR'; }
