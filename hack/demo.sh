#!/usr/bin/env bash
# From a fresh machine to a working mesh: two nodes in network namespaces, an agent on each, pods brought up by CNI.
set -uo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'USAGE'
usage: hack/demo.sh [--keep] [--direct] [--binary FILE] [--screens DIR] | --stop

Shows a mesh of two nodes on this machine: installs Debian packages, builds, and runs real servers through it.
Each line that begins with ✓ is a thing that was checked; the exit status is 0 only if all were.

  --keep          leave it running, and say what to try
  --stop          end a demo that was left running
  --direct        only the machines and the servers, without agents: is this machine fit for the demo?
  --binary FILE   use this meshnode, and the meshnode-cni beside it, instead of building them
  --screens DIR   save what the commands print into this directory, one file per command
  -h, --help      this text

Exit status: 0 all shown, 1 not, 64 usage, 77 not root, 130 interrupted.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
root=${here%/hack}
python=/usr/bin/python3
state=/run/mn-demo netns_prefix=mn-demo

wrong_usage() {
    echo "hack/demo.sh: $1" >&2
    exit 64
}

keeps=0 only_direct=0 stops=0 binary="" screens=""
while (($#)); do
    case $1 in
        --keep) keeps=1 ;;
        --stop) stops=1 ;;
        --direct) only_direct=1 ;;
        --binary)
            shift
            binary=${1:-}
            [[ -f $binary && -x $binary ]] || wrong_usage "--binary needs an executable file, not '$binary'"
            binary=$(realpath "$binary")
            [[ -x ${binary%/*}/meshnode-cni ]] || wrong_usage "--binary: there is no meshnode-cni beside '$binary'"
            ;;
        --screens)
            shift
            screens=${1:-}
            [[ -n $screens ]] || wrong_usage "--screens needs a directory"
            mkdir -p "$screens" || exit 1
            screens=$(realpath "$screens")
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            usage >&2
            wrong_usage "unknown argument '$1'"
            ;;
    esac
    shift
done
((stops && (keeps || only_direct))) && wrong_usage "--stop stands alone"
if ((EUID != 0)); then
    echo "hack/demo.sh: needs root, for network namespaces: sudo hack/demo.sh" >&2
    exit 77
fi

# shellcheck source=hack/packages.sh
. "$here/packages.sh"
# shellcheck source=hack/release.sh
. "$here/release.sh"
# shellcheck source=hack/demo/processes.sh
. "$here/demo/processes.sh"
# shellcheck source=hack/demo/step.sh
. "$here/demo/step.sh"
# shellcheck source=hack/demo/topology.sh
. "$here/demo/topology.sh"
# shellcheck source=hack/demo/pods.sh
. "$here/demo/pods.sh"
# shellcheck source=hack/demo/agents.sh
. "$here/demo/agents.sh"
# shellcheck source=hack/demo/steps.sh
. "$here/demo/steps.sh"
# shellcheck source=hack/demo/lifecycle-steps.sh
. "$here/demo/lifecycle-steps.sh"

# --- one demo at a time

if ((stops)); then
    stop_kept && echo "stopped"
    exit
fi
# Making a directory is one step: of two demos that start at once, one is refused.
if ! mkdir "$state" 2>/dev/null || [[ -n $(demo_namespaces) ]]; then
    echo "hack/demo.sh: a demo is running, or was left running; end it: sudo hack/demo.sh --stop" >&2
    exit 1
fi
echo "$$ $(start_time $$)" >"$state/demo"
: >"$state/processes"

cleanup() {
    local status=$?
    trap '' INT TERM
    trap - EXIT
    if ((keeps && status == 0)); then
        exit 0
    fi
    end_children
    delete_topology || echo "hack/demo.sh: not all namespaces could be deleted: $(demo_namespaces)" >&2
    delete_cgroups || echo "hack/demo.sh: not all cgroups could be deleted: $(cgroups_directory)" >&2
    [[ -z ${work:-} ]] || rm -rf -- "$work"
    rm -rf -- "$state"
    exit "$status"
}

trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- steps

# The plugin is linked statically: it must run on a host that has none of the libraries.
build() {
    build_release meshnode meshnode-cni || return 1
    binary=$(release_folder)/meshnode
    [[ -x $binary && -x ${binary%/*}/meshnode-cni ]]
}

make_one_gibibyte() {
    # A stream cipher's output: random enough, and faster than /dev/urandom.
    openssl enc -aes-128-ctr -nosalt -K "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" \
        -iv 00000000000000000000000000000000 -in /dev/zero 2>/dev/null |
        head -c 1073741824 | tee "$work/www/big" | sha256sum >"$work/www/big.sha256.new" &&
        mv "$work/www/big.sha256.new" "$work/www/big.sha256"
}

say_what_to_try() {
    if ((only_direct)); then
        printf '\nIt is left running, without a mesh. End it:\n  hack/demo.sh --stop\n'
        return
    fi
    cat <<-TRY

		It is left running. Try:
		  export MESHNODE_SOCKET=$work/node-b/run/agent.sock
		  $binary status
		  $binary connections -o wide
		  $binary explain shop/web pay/api:8080
		  nsenter --net=/run/netns/mn-demo-web curl http://$api_service_v4/
		  nsenter --net=/run/netns/mn-demo-web redis-cli -h $cache_service
		  cp $here/demo/policies/allow-batch.yaml $work/node-a/manifests/     # and the curl above is refused
		  tail -f ${agent_log[b]}
		End it:
		  hack/demo.sh --stop
	TRY
}

main() {
    work=$(mktemp -d /tmp/mn-demo.XXXXXX) || exit 1
    chmod 755 "$work"
    echo "$work" >"$state/work"
    mkfifo "$work/never"
    mkdir -p "$work/node-a/manifests" "$work/node-b" || exit 1
    cp "$here"/demo/manifests/*.yaml "$work/node-a/manifests/" || exit 1

    first "Debian packages are installed" install_missing "${build_packages[@]}" "${demo_packages[@]}"
    if ((!only_direct)) && [[ -z $binary ]]; then
        command -v swift >/dev/null || {
            echo "hack/demo.sh: Swift 6.2 or later is needed: https://www.swift.org/install/linux/" >&2
            echo "If you have it and used sudo: sudo env PATH=\"\$PATH\" hack/demo.sh" >&2
            exit 1
        }
        echo "building meshnode: this takes some minutes the first time"
        first "meshnode and meshnode-cni are built (release)" build
    fi
    local begin=$EPOCHREALTIME

    first "two nodes, IPv4 and IPv6" make_nodes
    if ((only_direct)); then
        show_machines
    else
        show_start
        show_traffic
        show_policies
        show_faults
        show_upgrade_and_rotation
        show_end
    fi

    echo "$passed passed, $failed failed, $(($(milliseconds_since "$begin") / 1000)) s after the build"
    ((failed == 0)) || exit 1
    ((!keeps)) || say_what_to_try
}

start_gibibyte() {
    start api "$work/gibibyte.log" bash -c "$(declare -f make_one_gibibyte); work='$work' make_one_gibibyte"
}

show_machines() {
    write_network a && write_network b || exit 1
    first "seven pods come up through the CNI chain (bridge)" start_pods
    first "nginx twice, redis and an SMTP server run in pods of node B" start_servers
    step "CNI CHECK agrees, for every pod" chain_checks_out
    step "the servers answer by pod address, and no one by service address" servers_answer_directly
    step "a canary in a request is readable on the wire" canary_is_readable archive "$archive_v4"
}

show_start() {
    write_network a && write_network b || exit 1
    first "node A: an agent with the mesh's controller and CA" controller_is_ready
    first "node B: an agent that dials it, let in by a join token, without any file of node A" other_node_joins
    first "seven pods come up through the CNI chain (bridge, meshnode-cni)" start_pods
    first "nginx twice, redis and an SMTP server run in pods of node B" start_servers
    start_gibibyte
    first "both agents are ready, all enrolled pods captured" mesh_is_whole
    step "CNI CHECK agrees, for every pod" chain_checks_out
    step "an enrolled pod that cannot be captured does not start" uncapturable_pod_does_not_start
    step "pods outside the mesh are left alone: by pod address, and no one by service address" outside_is_left_alone
    step "a canary in their request is readable on the wire" canary_is_readable archive "$archive_v4"
    step "meshnode status: healthy, and the whole mesh on either node" status_is_healthy
    echo
    meshnode a status
    echo
}

show_traffic() {
    step "shop/web on node A reaches pay/api on node B by service address, IPv4" web_reaches_service_v4
    step "... by service address, IPv6" web_reaches_service_v6
    step "... by pod address, IPv4; the server saw the client's address" web_reaches_pod_v4
    step "... by pod address, IPv6; the server saw the client's address" web_reaches_pod_v6
    step "a canary in a request is nowhere between the nodes, port 15008 is" wire_is_encrypted
    step "redis-benchmark through the mesh" redis_benchmark_passes
    step "SMTP, where the server speaks first" mail_passes
    step "1 GiB arrives with the same SHA-256" gigabyte_is_whole
}

show_policies() {
    step "a policy allows shop/web: shop/batch is refused" policy_refuses_the_other
    step "meshnode connections says by which policy" connections_names_the_policy
    step "meshnode explain says before the fact who gets through, and which field of the policy misses" explain_foresees
    step "meshnode explain --id says it of the connection that was refused" explain_recalls
    step "meshnode edges: who talks to whom, secured, and who was refused" edges_are_shown
    save_screens
    step "changing the policy closes the live connection of the one now denied" policy_change_closes_live_connection
    step "without the policy's file, everyone is allowed again" policy_is_gone_with_its_file
    step "a pod outside the mesh gets through in plaintext (PERMISSIVE)" outside_passes_under_permissive
    step "a pod outside the mesh is refused (STRICT)" outside_is_refused_under_strict
}

# What was not saved by the steps themselves.
save_screens() {
    local command
    [[ -n $screens ]] || return 0
    # Node A's report of its last change may still be on its way.
    wait_until 15 meshnode b diff >/dev/null
    screen b status status
    for command in services connections policies workloads certificates check diff; do
        screen b "$command" "$command"
    done
}

show_faults() {
    step "kill -9 of the client's worker at 200 connects a second" worker_of_client_may_die
    step "kill -9 of the server's worker at 200 connects a second" worker_of_server_may_die
    step "node A's agent and the controller are down: node A fails closed, node B goes on" node_a_is_down
    step "... and back: it finds its running pods, the mesh is whole" node_a_is_back
}

show_upgrade_and_rotation() {
    step "node B's agent is replaced by a new one at 200 connects a second; a long stream lives" agent_is_upgraded
    step "... again and again" agent_is_upgraded_in_a_row
    step "a new root of trust at 200 connects a second: A, A and B, B" root_rotates
}

show_end() {
    step "CNI DEL: the pod is released, nothing of the mesh stays in its namespace" deleted_pod_is_released
    step "meshnode status: healthy on both nodes" status_is_healthy
}

main
