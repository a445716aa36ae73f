#!/usr/bin/env bash
# The microbenchmarks of Benchmarks/Micro: what a decision, a tunnelled stream, a counter and a change of state cost.
set -uo pipefail

usage() {
    cat <<'USAGE'
usage: hack/microbench.sh [--check | --update | --timed]

Builds the microbenchmarks in release and counts the instructions and allocations of one iteration of each, with
valgrind's callgrind. Counts repeat, other than times, so thresholds for them are committed
(Benchmarks/Micro/thresholds.json).

  --check     hold the counts against the thresholds: 5 % more instructions or a quarter of an allocation more fails
  --update    write the counts as the new thresholds
  --timed     run them under the benchmark library instead: wall time, and instructions if the machine counts them
  -h, --help  this text

Exit status: 0 measured (with --check: nothing grew), 1 not, 64 usage.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
root=${here%/hack}
cd "$root" || exit 1

mode=show
while (($#)); do
    case $1 in
        --check | --update | --timed)
            [[ $mode == show ]] || {
                echo "hack/microbench.sh: --$mode and $1 do not go together" >&2
                exit 64
            }
            mode=${1#--}
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "hack/microbench.sh: unknown argument '$1'" >&2
            usage >&2
            exit 64
            ;;
    esac
    shift
done

# shellcheck source=hack/packages.sh
. "$here/packages.sh"
install_missing "${build_packages[@]}" valgrind openssl python3 || exit 1

work=$(mktemp -d) || exit 1
trap 'rm -rf -- "$work"' EXIT
# Both ends of the TLS benchmark show this one; whom to trust is not what is measured.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /O=micro \
    -keyout "$work/key.pem" -out "$work/chain.pem" >"$work/openssl.log" 2>&1 || {
    cat "$work/openssl.log"
    exit 1
}
export MESHNODE_MICRO_CREDENTIALS=$work
export SWIFT_BACKTRACE=enable=no

if [[ $mode == timed ]]; then
    # A build of its own: the package has more dependencies with the benchmark library than without.
    MESHNODE_BENCHMARKS=1 swift package --scratch-path .build/micro --disable-sandbox benchmark --target MicroTimed
    exit
fi

echo "building"
swift build -c release --static-swift-stdlib --product MicroCounted >"$work/build.log" 2>&1 || {
    tail -n 40 "$work/build.log"
    exit 1
}
counted=$(swift build -c release --show-bin-path)/MicroCounted
"$counted" >"$work/subjects" || exit 1

echo "counting"
mkdir "$work/counts"
# Hashing that is the same in every run, so that the counts are.
export SWIFT_DETERMINISTIC_HASHING=1
# Twice as often, too: what was called before the counting began is in both, and falls out of the difference.
while IFS=$'\t' read -r name _; do
    for often in once twice; do
        valgrind --tool=callgrind --compress-strings=no --toggle-collect='*countedIterations*' \
            --callgrind-out-file="$work/counts/$name.$often" "$counted" "$name" "$often" >"$work/$name.log" 2>&1 \
            </dev/null || {
            echo "hack/microbench.sh: $name failed:" >&2
            tail -n 20 "$work/$name.log" >&2
            exit 1
        }
    done
done <"$work/subjects"
python3 Benchmarks/Micro/compare.py "$work/subjects" "$work/counts" Benchmarks/Micro/thresholds.json "$mode"
