#!/usr/bin/env bash
# Compares the mesh's evaluation of L4 policy with an independent one in Python, written from the policy design alone.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: hack/differential.sh [--pairs N] [--seed S] [--jobs N]

Evaluates random pairs of policies and connections twice, by the mesh's evaluator and by an independent one. Prints the
seed, counts by verdict and reason, and each disagreement with a minimal case.

  --pairs N   how many pairs (default: 1,000,000; less than two minutes on two cores)
  --seed S    the same pairs as a run that printed this seed (default: another one each time)
  --jobs N    processes (default: one per core)
  -h, --help  this text

POLICY_VERDICTS in the environment names a PolicyVerdicts that is already built.

Exit status: 0 both agree, 1 they do not or an outcome came too rarely, 64 usage.
USAGE
}

arguments=()
while (($#)); do
    case $1 in
        --pairs | --seed | --jobs)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || {
                echo "hack/differential.sh: $1 needs a number of at least 1" >&2
                exit 64
            }
            arguments+=("$1" "$2")
            shift 2
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "hack/differential.sh: unknown argument '$1'" >&2
            usage >&2
            exit 64
            ;;
    esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
binary=${POLICY_VERDICTS:-}
if [[ -z $binary ]]; then
    swift build -c release --product PolicyVerdicts
    binary=$(swift build -c release --show-bin-path)/PolicyVerdicts
fi
exec python3 hack/differential/run.py --binary "$binary" "${arguments[@]}"
