#!/usr/bin/env bash
# Does meshnode understand others, and do they understand it? Real agents against Envoy, tools that everybody has,
# frames that nobody sends, and a Prometheus server.
set -uo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'USAGE'
usage: hack/interop.sh [--quick] [--only GROUP] [--binary FILE] [--keep] | --stop

Two nodes with real agents and a third without one, where other peers speak for the pods: all in network namespaces of
this machine. Each line that begins with ✓ is a thing that was checked; the last line is `N passed, N failed`.

  --quick         without what takes long: a quarter of a GiB instead of one, no waiting for peers that fall silent
  --only GROUP    only this group; may be repeated:
                    waypoint     agent -> Envoy, which ends mTLS and CONNECT as an Istio waypoint does
                    gateway      Envoy, which dials -> agent
                    frames       HTTP/2 frame by frame, in both directions
                    tools        curl, nghttp, h2load, redis-benchmark; openssl and who is refused
                    prometheus   a Prometheus server, and promtool
  --binary FILE   use this meshnode, and the meshnode-cni beside it, instead of building them;
                  so does the environment variable MESHNODE_BINARY
  --keep          leave it running, and say where
  --stop          end one that was left running
  -h, --help      this text

Exit status: 0 all shown, 1 not, 64 usage, 77 not root, 130 interrupted.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
root=${here%/hack}
python=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1
state=/run/mn-interop netns_prefix=mn-interop

wrong_usage() {
    echo "hack/interop.sh: $1" >&2
    exit 64
}

all_groups=(waypoint gateway frames tools prometheus)
keeps=0 stops=0 is_quick=0 groups=() binary=${MESHNODE_BINARY:-}
while (($#)); do
    case $1 in
        --quick) is_quick=1 ;;
        --keep) keeps=1 ;;
        --stop) stops=1 ;;
        --only)
            shift
            [[ -n ${1:-} && " ${all_groups[*]} " == *" $1 "* ]] ||
                wrong_usage "--only needs one of: ${all_groups[*]}; not '${1:-}'"
            groups+=("$1")
            ;;
        --binary)
            shift
            binary=${1:-}
            [[ -n $binary ]] || wrong_usage "--binary needs a file"
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
((${#groups[@]})) || groups=("${all_groups[@]}")
if [[ -n $binary ]]; then
    [[ -f $binary && -x $binary ]] || wrong_usage "--binary needs an executable file, not '$binary'"
    binary=$(realpath "$binary")
    [[ -x ${binary%/*}/meshnode-cni ]] || wrong_usage "--binary: there is no meshnode-cni beside '$binary'"
fi
((stops && (keeps || is_quick))) && wrong_usage "--stop stands alone"
if ((EUID != 0)); then
    echo "hack/interop.sh: needs root, for network namespaces: sudo hack/interop.sh" >&2
    exit 77
fi

# What the demo has and is not wanted here.
# shellcheck disable=SC2034  # the demo's functions read them
only_direct=0 screens=""
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
# shellcheck source=hack/demo/lifecycle-steps.sh
. "$here/demo/lifecycle-steps.sh"
# shellcheck source=hack/interop/peers.sh
. "$here/interop/peers.sh"
# shellcheck source=hack/interop/traffic-steps.sh
. "$here/interop/traffic-steps.sh"
# shellcheck source=hack/interop/waypoint-steps.sh
. "$here/interop/waypoint-steps.sh"
# shellcheck source=hack/interop/gateway-steps.sh
. "$here/interop/gateway-steps.sh"
# shellcheck source=hack/interop/frame-steps.sh
. "$here/interop/frame-steps.sh"
# shellcheck source=hack/interop/tool-steps.sh
. "$here/interop/tool-steps.sh"
# shellcheck source=hack/interop/prometheus-steps.sh
. "$here/interop/prometheus-steps.sh"

if ((stops)); then
    stop_kept && echo "stopped"
    exit
fi
# Making a directory is one step: of two that start at once, one is refused.
if ! mkdir "$state" 2>/dev/null || [[ -n $(demo_namespaces) ]]; then
    echo "hack/interop.sh: one is running, or was left running; end it: sudo hack/interop.sh --stop" >&2
    exit 1
fi
echo "$$ $(start_time $$)" >"$state/demo"
: >"$state/processes"

cleanup() {
    local status=$?
    trap '' INT TERM
    trap - EXIT
    if ((keeps && status != 130 && status != 143)); then
        printf '\nIt is left running: %s. End it:\n  hack/interop.sh --stop\n' "${work:-}"
        exit "$status"
    fi
    end_children
    delete_topology || echo "hack/interop.sh: not all namespaces could be deleted: $(demo_namespaces)" >&2
    delete_cgroups || echo "hack/interop.sh: not all cgroups could be deleted: $(cgroups_directory)" >&2
    [[ -z ${work:-} ]] || rm -rf -- "$work"
    rm -rf -- "$state"
    exit "$status"
}

trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The plugin is linked statically: it must run on a host that has none of the libraries.
build() {
    build_release meshnode meshnode-cni || return 1
    binary=$(release_folder)/meshnode
    [[ -x $binary && -x ${binary%/*}/meshnode-cni ]]
}

is_wanted() { [[ " ${groups[*]} " == *" $1 "* ]]; }

main() {
    work=$(mktemp -d /tmp/mn-interop.XXXXXX) || exit 1
    chmod 755 "$work"
    echo "$work" >"$state/work"
    mkfifo "$work/never"
    mkdir -p "$work/node-a/manifests" "$work/node-b" "$work/node-c" "$work/www" || exit 1
    cp "$here"/interop/manifests/*.yaml "$work/node-a/manifests/" || exit 1

    first "Debian packages are installed" install_missing "${build_packages[@]}" "${demo_packages[@]}" "${interop_packages[@]}"
    if [[ -z $binary ]]; then
        command -v swift >/dev/null || {
            echo "hack/interop.sh: Swift 6.2 or later is needed: https://www.swift.org/install/linux/" >&2
            exit 1
        }
        echo "building meshnode: this takes some minutes the first time"
        first "meshnode and meshnode-cni are built (release)" build
    fi
    first "Envoy $envoy_version is there" install_envoy
    local begin=$EPOCHREALTIME

    first "three nodes, two with an agent" start_mesh
    first "seven pods; Envoy, python, nginx and redis run in them" start_interop_pods
    local group
    for group in "${all_groups[@]}"; do
        is_wanted "$group" || continue
        printf -- '-- %s\n' "$group"
        "show_$group"
    done
    step "the agents have had no error, and no worker ended" agents_are_well

    echo "the cases took $(($(milliseconds_since "$begin") / 1000)) s"
    echo "$passed passed, $failed failed"
    ((failed == 0))
}

main
