# shellcheck shell=bash disable=SC2154  # state and netns_prefix are set by demo.sh
# Starts the demo's processes, and ends those and no others; sourced by demo.sh.

children=()
started=0

# When process $1 was started, in ticks since boot (proc(5), field 22): tells it from a later one of the same number.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# Starts "$3"... in namespace $1 with its output in file $2; sets `started` to its pid.
start() {
    local namespace=$1 log=$2
    shift 2
    setsid nsenter --net="/run/netns/$netns_prefix-$namespace" "$@" >"$log" 2>&1 </dev/null &
    started=$!
    children+=("$started")
    echo "$started $(start_time "$started")" >>"$state/processes"
}

# Ends one of them and waits until it has ended.
stop() {
    kill -TERM "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

# Whether child $1 has ended: a zombie until it is waited for, so its number is still ours.
has_ended() {
    local letter
    letter=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f1)
    [[ -z $letter || $letter == Z ]]
}

# Waits up to five seconds for a child to end by itself, then ends it and all that it started.
wait_for_end() {
    local tries
    for ((tries = 0; tries < 250; tries++)); do
        has_ended "$1" && break
        sleep 0.02
    done
    has_ended "$1" || kill -KILL -- "-$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

# Ends all of them.
end_children() {
    local pid
    # They are still our children, so their numbers are nobody else's.
    for pid in ${children[@]+"${children[@]}"}; do
        kill -TERM "$pid" 2>/dev/null
    done
    for pid in ${children[@]+"${children[@]}"}; do
        wait_for_end "$pid"
    done
}

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
        [[ $(start_time "$pid") == "$began" ]] && kill -TERM "$pid" 2>/dev/null
    done <"$state/processes"
    [[ ! -s $state/processes ]] || while read -r pid began; do
        end_process "$pid" "$began"
    done <"$state/processes"
    delete_topology
    delete_cgroups
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
