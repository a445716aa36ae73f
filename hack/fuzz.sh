#!/usr/bin/env bash
# Runs the fuzz harnesses under libFuzzer with AddressSanitizer. New inputs that reach new code stay in
# .build/fuzz/corpus; an input that breaks a rule is put into the harness's FailCases, where every test run tries it.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: hack/fuzz.sh [--seconds N | --runs N] [HARNESS...]

  --seconds N  how long each harness runs; 60 unless told otherwise
  --runs N     how many inputs each harness tries instead
  HARNESS      a folder of Fuzz with a Corpus; all of them unless told otherwise
  -h, --help   this text

Exit status: 0 nothing was found, 1 something was or a build failed, 64 usage.
USAGE
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
limit=(-max_total_time=60)
harnesses=()
while (($#)); do
    case $1 in
        --seconds | --runs)
            [[ ${2:-} =~ ^[0-9]+$ ]] || {
                echo "hack/fuzz.sh: $1 needs a number" >&2
                exit 64
            }
            if [[ $1 == --seconds ]]; then limit=("-max_total_time=$2"); else limit=("-runs=$2"); fi
            shift 2
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        -*)
            echo "hack/fuzz.sh: unknown argument '$1'" >&2
            usage >&2
            exit 64
            ;;
        *)
            harnesses+=("$1")
            shift
            ;;
    esac
done
if ((${#harnesses[@]} == 0)); then
    for corpus in Fuzz/*/Corpus; do harnesses+=("$(basename "$(dirname "$corpus")")"); done
fi

export MESHNODE_FUZZ=1 SWIFT_BACKTRACE=enable=no
scratch=.build/fuzz
failed=()
for harness in "${harnesses[@]}"; do
    [[ -d Fuzz/$harness/Corpus ]] || {
        echo "hack/fuzz.sh: there is no harness '$harness'" >&2
        exit 64
    }
    # Warnings of the linker about the sanitizer's own symbols are many and mean nothing.
    swift build --scratch-path "$scratch" -c release --product "Fuzz$harness" \
        -Xswiftc -sanitize=fuzzer,address -Xswiftc -parse-as-library >"$scratch.log" 2>&1 || {
        tail -n 40 "$scratch.log"
        exit 1
    }
    corpus=$scratch/corpus/$harness
    mkdir -p "$corpus"
    log=$scratch/$harness.log
    if "$(swift build --scratch-path "$scratch" -c release --show-bin-path)/Fuzz$harness" "${limit[@]}" -timeout=10 \
        -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 -artifact_prefix="Fuzz/$harness/FailCases/" \
        "$corpus" "Fuzz/$harness/Corpus" "Fuzz/$harness/FailCases" >"$log" 2>&1; then
        verdict=passed
    else
        verdict=failed
        failed+=("$harness")
        tail -n 40 "$log"
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    inputs=$(find "$corpus" -type f | wc -l)
    echo "$harness: $verdict, ${runs:-0} runs, $inputs inputs of its own"
done
if ((${#failed[@]})); then
    echo "fuzz: failed: ${failed[*]}"
    exit 1
fi
echo "fuzz: ${#harnesses[@]} harnesses passed"
