#!/usr/bin/env bash
# Do thousands of changes a second starve the data path? Measures a client with and without them, in turns.
set -uo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'USAGE'
usage: hack/flood.sh --binary FILE [--rounds N] [--seconds S] [--pods N] [--changes N] [--report FILE]

Runs two agents in network namespaces, one with the controller, and a client in a pod of the one that opens connections
to a pod of the other at a steady rate. In every other round pods elsewhere change all the time. Prints for
each round: connections per second, failures, median and 99th percentile of the time of one, CPU of the controller and
the workers, how many configurations a second reached the workers, and how long a change of a policy took to be in force.

  --binary FILE   the meshnode to run
  --rounds N      rounds of each kind (default: 4)
  --seconds S     length of a round (default: 10)
  --pods N        pods elsewhere (default: 2000)
  --changes N     of them, changes a second (default: 2000)
  --rate N        connections a second that the client opens (default: 200; far more use up a pod's ports)
  --report FILE   write what was measured there, as JSON, too
  -h, --help      this text

Exit status: 0 no connection failed and policies came into force, 1 not so, 64 usage, 77 not root.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
binary="" options=()
while (($#)); do
    case $1 in
        --binary) binary=${2:-}; shift ;;
        --rounds | --seconds | --pods | --changes | --rate | --report)
            options+=("$1" "${2:-}")
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "hack/flood.sh: unknown argument '$1'" >&2
            usage >&2
            exit 64
            ;;
    esac
    shift
done
if [[ ! -x $binary ]]; then
    echo "hack/flood.sh: --binary needs an executable file, not '$binary'" >&2
    exit 64
fi
if ((EUID != 0)); then
    echo "hack/flood.sh: only root can make network namespaces; try sudo" >&2
    exit 77
fi
exec /usr/bin/python3 "$here/flood/flood.py" --binary "$(realpath "$binary")" ${options[@]+"${options[@]}"}
