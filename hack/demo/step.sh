# shellcheck shell=bash disable=SC2154  # work is set by whoever sources this
# Steps that say whether what their line shows is true, and what they wait for; sourced by demo.sh and interop.sh.

failed=0 passed=0 note=""
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
