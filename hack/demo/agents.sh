# shellcheck shell=bash disable=SC2154  # work, binary, ... are set by demo.sh
# The agents of both nodes, and what they are asked; sourced by demo.sh.

controller_address=10.240.0.1:15012

declare -A agent_pid=() agent_log=()
agents_started=0

# Starts an agent on node $1; with option $2, --take-over, beside the one that runs there.
start_agent() {
    local node=$1
    local prefix=() options=(--node "node-$node" --run-directory "$work/node-$node/run" --drain-deadline 10s)
    if [[ $node == a ]]; then
        options+=(--config "$work/node-a/manifests" --ca-directory "$work/node-a/ca" --listen "$controller_address")
    else
        options+=(--controller "$controller_address" --join-token "$work/node-b/join-token"
            --state-directory "$work/node-b/state")
        # As on another machine, there are no files of node A here. New namespaces of pods do show up.
        # shellcheck disable=SC2016  # expanded by the shell inside
        prefix=(unshare --mount --propagation slave sh -c 'mount -t tmpfs none "$0" && exec "$@"' "$work/node-a")
    fi
    agents_started=$((agents_started + 1))
    agent_log[$node]=$work/agent-$node-$agents_started.log
    start "$node" "${agent_log[$node]}" ${prefix[@]+"${prefix[@]}"} "$binary" agent "${options[@]}" ${2:+"$2"}
    agent_pid[$node]=$started
}

# Gives node B a token; the agent that is started there joins with it.
let_node_b_join() {
    (umask 077 && "$binary" token create --node node-b --ca-directory "$work/node-a/ca" >"$work/node-b/join-token")
}

# Waits until the agent of node $1 is ready. One that has ended never gets ready; waiting would only hide why.
wait_until_ready() {
    wait_until "${2:-20}" is_ready_or_ended "$1" && is_ready "$1" && return 0
    echo "the agent of node $1 is not ready; its log ends:"
    tail -n 12 "${agent_log[$1]}"
    return 1
}

is_ready() { in_namespace "$1" curl -fs -o /dev/null --max-time 1 http://127.0.0.1:15021/healthz/ready; }
is_ready_or_ended() { is_ready "$1" || has_ended "${agent_pid[$1]}"; }

# A command that asks the agent of node $1.
meshnode() {
    local node=$1
    shift
    "$binary" "$@" --socket "$work/node-$node/run/agent.sock"
}

# What Python makes of expression $2 on the JSON that `meshnode $3... -o json` prints on node $1, as `it`.
query() {
    local node=$1 expression=$2
    shift 2
    meshnode "$node" "$@" -o json | "$python" -c '
import json, sys
print(eval("(" + sys.argv[1] + ")", {"it": json.load(sys.stdin)}))' "$expression"
}

# The process that carries the traffic of node $1, whatever else `status` thinks of the node.
worker_of() {
    local pid
    pid=$(query "$1" 'it["agent"]["worker"]["pid"]' status --local) || true
    [[ $pid =~ ^[0-9]+$ ]] && echo "$pid"
}

# Whether node $1 sees the whole mesh, healthy, with $2 and $3 pods captured on the nodes A and B.
sees_whole_mesh() {
    [[ $(query "$1" "it['verdict'] == 'OK' and
        [(n['name'], n['state'], n['capturedPods'], n['enrolledPods']) for n in it['nodes']] ==
        [('node-a', 'Ready', $2, $2), ('node-b', 'Ready', $3, $3)]" status) == True ]]
}

# Saves what `meshnode $3...` prints on node $1 as file $2.txt, if asked to.
screen() {
    local node=$1 name=$2 status=0
    shift 2
    [[ -n $screens ]] || return 0
    {
        echo "\$ meshnode $*"
        meshnode "$node" "$@" 2>&1 || status=$?
        ((status == 0)) || echo "# exit status $status"
    } >"$screens/$name.txt"
}
