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

# The same on a session of its own would be another pod's: so it is measured before and with the stalled streams, in up to
# three attempts, as what else this machine does may fall on one of them.
ninth_stream_is_fast() {
    local content=$work/ninth attempt
    head -c $((32 << 20)) "$file" >"$content"
    for attempt in 1 2 3; do
        compare_with_stalled "$content" || return 1
        note="$((32 * 1000 / beside)) MiB/s, without them $((32 * 1000 / alone)) MiB/s"
        echo "attempt $attempt: $note"
        ((beside >= 2 * alone)) || return 0
    done
    return 1
}

# Sets `alone` and `beside`: the milliseconds that file $1 takes without and with eight streams that get no credit.
compare_with_stalled() {
    local begin=$EPOCHREALTIME pids=() pid status=0 i
    call web upload "$odd" 7002 "$1" || return 1
    alone=$(milliseconds_since "$begin")
    for ((i = 0; i < 8; i++)); do
        # To one that gives no credit; it is ended below.
        start web "$work/stalled-$i.log" "$python" "$here/interop/caller.py" upload "$odd" 7005 "$1"
        pids+=("$started")
    done
    wait_until 10 eight_are_stalled || status=1
    begin=$EPOCHREALTIME
    call web upload "$odd" 7002 "$1" || status=1
    beside=$(milliseconds_since "$begin")
    eight_are_stalled || status=1
    for pid in "${pids[@]}"; do
        stop "$pid"
    done
    return "$status"
}

# Those of an attempt before stay until their clients' kernel gives up what it still wanted to send.
eight_are_stalled() {
    (($(query a "len([c for c in it['live'] if c['destination']['address'].endswith(':7005')])" connections) >= 8))
}

broken_session_is_named() { is_refused web "$odd" 7603 && reason_is a 7603 '^PEER_RESET .*PROTOCOL_ERROR'; }
