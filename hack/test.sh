#!/usr/bin/env bash
# Everything that shows that meshnode works: packages, build, tests, checks, demo, other peers.
set -uo pipefail

usage() {
    cat <<'USAGE'
usage: hack/test.sh [--no-demo] [--filter REGEX]

Installs the Debian packages that are missing, builds, runs all tests (NodeTests in real network namespaces, as root),
hack/check.sh, hack/demo.sh and hack/interop.sh --quick. Prints which tests were skipped and why; the last line is
`N passed, N failed`.

  --no-demo        without hack/demo.sh and hack/interop.sh
  --filter REGEX   only the tests whose names match, and neither checks nor demo
  -h, --help       this text

Exit status: 0 all passed, 1 not, 64 usage.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
root=${here%/hack}
cd "$root" || exit 1

shows_demo=1 filter=""
while (($#)); do
    case $1 in
        --no-demo) shows_demo=0 ;;
        --filter)
            shift
            filter=${1:-}
            [[ -n $filter ]] || {
                echo "hack/test.sh: --filter needs an expression" >&2
                exit 64
            }
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "hack/test.sh: unknown argument '$1'" >&2
            usage >&2
            exit 64
            ;;
    esac
    shift
done

# shellcheck source=hack/packages.sh
. "$here/packages.sh"

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
passed=0 failed=0

# The last line, whatever happened.
finish() {
    echo "$passed passed, $failed failed"
    ((failed == 0))
    exit
}

# Says how long a part took; $1 is its name, $2 when it began.
took() { echo "  $1 took $((SECONDS - $2)) s"; }

# Runs "${@:2}" as one part named $1 and counts it; its output goes to $log.
part() {
    local name=$1 begin=$SECONDS
    shift
    echo "== $name"
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "✗ $name"
        grep -E '(error|warning):|✗' "$log" | sort -u | head -n 40
        tail -n 15 "$log"
        return 1
    fi
    took "$name" "$begin"
}

# shellcheck disable=SC2317  # called by `part`
build() { swift build --build-tests --explicit-target-dependency-import-check error; }

# Runs tests, as one part named $1, and counts them by what the test library prints per test; the rest are arguments of
# `swift test`.
run_tests() {
    local name=$1 begin=$SECONDS status=0
    shift
    echo "== $name"
    ((EUID == 0)) || echo "  not root: tests that need network namespaces will say that they are skipped"
    # A trap in a test must end the run at once, not after minutes of symbolication.
    SWIFT_BACKTRACE=enable=no timeout --kill-after=10 1500 swift test --skip-build "$@" >"$log" 2>&1 || status=$?
    local good bad skipped
    good=$(grep -cE '^✔ Test .* passed after' "$log")
    bad=$(grep -cE '^✘ Test .* failed after' "$log")
    skipped=$(grep -cE '^➜ Test .* skipped' "$log")
    # The line of the whole run looks like that of a test.
    good=$((good - $(grep -cE '^✔ Test run with' "$log")))
    bad=$((bad - $(grep -cE '^✘ Test run with' "$log")))
    passed=$((passed + good)) failed=$((failed + bad))
    if ((skipped > 0)); then
        echo "  skipped ($skipped):"
        grep -E '^➜ Test .* skipped' "$log" | sed 's/^➜ Test/   /' | sort -u
    fi
    if ((status != 0)); then
        grep -E '^✘|error:|Fatal|signal' "$log" | sort -u | head -n 60
        # Ended without a failed test: a trap, the time limit, or nothing was run.
        if ((bad == 0)); then
            echo "✗ $name ended with status $status"
            tail -n 20 "$log"
            failed=$((failed + 1))
        fi
    elif ((good == 0)); then
        echo "✗ no test was run"
        failed=$((failed + 1))
    fi
    echo "  $good tests passed, $bad failed, $skipped skipped"
    took "$name" "$begin"
}

# Runs a part that is many real processes under load, and once more if something in it failed: what failed first is
# shown and said, and the second run counts.
twice() {
    local passed_before=$passed failed_before=$failed
    "$@"
    ((failed > failed_before)) || return 0
    echo "!! $((failed - failed_before)) failed in the first run of this part; it is run once more, and that counts"
    passed=$passed_before failed=$failed_before
    "$@"
}

# Our evaluator of policies against an independent one; the seed is another one each time, and is printed.
# shellcheck disable=SC2317  # called by `run_script`
differential() {
    local binary
    binary=$(swift build --show-bin-path)/PolicyVerdicts
    if POLICY_VERDICTS=$binary "$here/differential.sh" --pairs 50000; then
        echo "✓ 50,000 pairs of policies and connections: both evaluators agree"
    else
        echo "✗ the evaluators disagree, or the pairs were too few of a kind"
        return 1
    fi
}

# Runs a script that prints a line with ✓ or ✗ per thing it shows, as it goes, and counts those.
run_script() {
    local name=$1 begin=$SECONDS status=0
    shift
    echo "== $name"
    "$@" 2>&1 | tee "$log" || status=${PIPESTATUS[0]}
    local good bad
    good=$(grep -c '^✓' "$log") bad=$(grep -c '^✗' "$log")
    ((status == 0 || bad > 0)) || bad=1
    passed=$((passed + good)) failed=$((failed + bad))
    took "$name" "$begin"
}

part "Debian packages" install_missing "${build_packages[@]}" "${test_packages[@]}" "${demo_packages[@]}" || finish
command -v swift >/dev/null || {
    echo "Swift 6.2 or later is needed: https://www.swift.org/install/linux/"
    failed=$((failed + 1))
    finish
}
part "build" build || finish
if [[ -n $filter ]]; then
    run_tests "tests that match" --filter "$filter"
else
    run_tests "tests" --skip 'NodeTests|AgentTests|ControlPlaneTests'
    # By themselves: tests that wait hold threads that tasks of these need.
    run_tests "tests of agent and control plane" --filter 'AgentTests|ControlPlaneTests'
    # They are many processes.
    twice run_tests "tests of whole nodes" --filter NodeTests
fi
if [[ -z $filter ]]; then
    run_script "hack/check.sh" "$here/check.sh"
    run_script "hack/differential.sh" differential
    if ((!shows_demo)); then
        echo "== hack/demo.sh, hack/interop.sh: skipped, as asked (--no-demo)"
    elif ((EUID != 0)); then
        echo "== hack/demo.sh, hack/interop.sh: skipped, they need root"
    else
        twice run_script "hack/demo.sh" "$here/demo.sh"
        twice run_script "hack/interop.sh" "$here/interop.sh" --quick
    fi
fi
echo "all of it took $SECONDS s"
finish
