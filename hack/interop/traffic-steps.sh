# shellcheck shell=bash disable=SC2154,SC2034  # work, here, ... are set by interop.sh, and it reads note
# What any tunnel must carry, whoever is at its ends; sourced by interop.sh. A function is one line of the output: it
# ends with 0 if what its line says is true. $1 is the pod of the client, $2 the address that it calls.

# Runs a client and keeps the last line of what it says as the note; arguments of `call`.
call_and_note() {
    local said status=0
    said=$(call "$@" 2>&1) || status=$?
    echo "$said"
    note=$(tail -n 1 <<<"$said")
    return "$status"
}

small_requests() { call_and_note "$1" requests "$2" 7000 32 100; }

file_goes_up() {
    local begin=$EPOCHREALTIME
    call_and_note "$1" upload "$2" 7002 "$file" || return 1
    same_file "$note" "$begin"
}

# With $3, quiet, the client has closed its direction before.
file_comes_down() {
    local begin=$EPOCHREALTIME
    call_and_note "$1" download "$2" 7001 ${3:+"$3"} || return 1
    same_file "$note" "$begin"
}

# Whether $1 is the digest and the size of the file; $2 is when its transfer began.
same_file() {
    [[ $1 == "sha256 $file_digest" ]] || {
        echo "sent $file_digest, got $1"
        return 1
    }
    local took
    took=$(milliseconds_since "$2")
    note="sha256 ${file_digest:0:16}..., $((${file_digest#* } * 1000 / 1048576 / took)) MiB/s"
}

# So many connections as $3, all open and used at one time; $4... is a command that prints what is to be seen of them while
# they are open, and fails if that is wrong.
many_streams() {
    local from=$1 to=$2 count=$3 go=$work/go-$1 caller seen status=0
    shift 3
    rm -f "$go"
    start "$from" "$work/hold.log" "$python" "$here/interop/caller.py" hold "$to" 7000 "$count" "$go"
    caller=$started
    wait_until 30 is_open_or_ended "$caller" || true
    seen=$("$@") || status=1
    touch "$go"
    wait "$caller" || status=1
    cat "$work/hold.log"
    echo "$seen"
    note=$seen
    return "$status"
}

is_open_or_ended() { grep -q '^open$' "$work/hold.log" || has_ended "$1"; }

# The application's end comes first; what the client says after it must still arrive, in the log of pod $3.
late_words_arrive() {
    local said
    said=$(call "$1" late "$2" 7003 3000000) || {
        echo "$said"
        return 1
    }
    wait_until 10 grep -qx "$said" "$work/applications-$3.log" && note=$said
}

# A reset of the application is one for the client, not an end like any other.
reset_arrives() {
    call_and_note "$1" refused "$2" 7004 && [[ $note == ConnectionResetError* ]]
}

# --- traffic that goes on

churn_pid=0 long_pid=0

# Short connections one after the other, and one that stays, from pod $1 to $2.
start_traffic() {
    start "$1" "$work/churn.log" "$python" "$here/interop/caller.py" churn "$2" 7000 8
    churn_pid=$started
    start "$1" "$work/long.log" "$python" "$here/interop/caller.py" steady "$2" 7000
    long_pid=$started
    wait_until 10 grep -q ready "$work/churn.log" && wait_until 10 grep -q ready "$work/long.log"
}

# Ends it: nothing of it may have failed.
judge_traffic() {
    local status=0
    kill -TERM "$churn_pid" "$long_pid" 2>/dev/null
    wait "$churn_pid" || status=1
    wait "$long_pid" || status=1
    cat "$work/churn.log" "$work/long.log"
    note="$(tail -n 1 "$work/churn.log"); $(tail -n 1 "$work/long.log")"
    return "$status"
}

# --- refusals

# A client in pod $1 that calls $2 on port $3 does not get through.
is_refused() { call_and_note "$1" refused "$2" "$3"; }

# Waits until the newest refusal that node $1 tells of, with port $2 in its destination, has a reason and a detail that
# match expression $3, as "REASON detail"; sets the note to it.
reason_is() {
    wait_until 5 newest_reason_matches "$@" && note=$(newest_reason "$1" "$2") && return 0
    echo "node $1 says: $(newest_reason "$1" "$2")"
    return 1
}

newest_reason() {
    query "$1" "max(((r['time'], i, r['reason'] + ' ' + (r.get('detail') or '') + ' ' + ' '.join(r['policies']))
        for i, r in enumerate(it['refused']) if r['destination']['address'].endswith(':$2')), default=(0, 0, 'nothing'))[2]" \
        connections
}

newest_reason_matches() { newest_reason "$1" "$2" | grep -qE "$3"; }
