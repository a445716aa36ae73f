#!/usr/bin/env bash
# Holds the sources to the rules of CONTRIBUTING.md. Runs every check, says which failed, and fails if any did.
set -uo pipefail

usage() {
    cat <<'USAGE'
usage: hack/check.sh [--no-build]

  --no-build   all checks but the build, which takes minutes
  -h, --help   this text

Exit status: 0 all passed, 1 not, 64 usage.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
root=${here%/hack}
cd "$root" || exit 1

builds=1
while (($#)); do
    case $1 in
        --no-build) builds=0 ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "hack/check.sh: unknown argument '$1'" >&2
            usage >&2
            exit 64
            ;;
    esac
    shift
done

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
failed=() passed=0

# Runs "${@:2}" under the name $1.
check() {
    local name=$1
    shift
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "✓ $name"
    else
        failed+=("$name")
        echo "✗ $name"
        head -n 60 "$log" | sed 's/^/    /'
    fi
}

tools() {
    local tool missing=0
    for tool in swift shellcheck python3; do
        command -v "$tool" >/dev/null || {
            echo "$tool is not installed"
            missing=1
        }
    done
    return "$missing"
}

swift_folders() {
    local folder
    for folder in Sources Tests Fuzz Benchmarks Package.swift; do
        [[ -e $folder ]] && echo "$folder"
    done
}

formatting() {
    local folders
    mapfile -t folders < <(swift_folders)
    swift format lint --strict --recursive --parallel "${folders[@]}"
}

# Warnings are errors by Package.swift; an import of a target that is not named as a dependency is one here.
building() {
    local output status=0
    output=$(swift build --build-tests --explicit-target-dependency-import-check error 2>&1) || status=$?
    if ((status)); then
        grep -E '(error|warning):' <<<"$output" | sort -u
        tail -n 5 <<<"$output"
    fi
    return "$status"
}

shell_scripts() {
    local scripts
    mapfile -t scripts < <(find hack -name '*.sh' | sort)
    shellcheck --external-sources "${scripts[@]}" .ci/run
}

python_scripts() {
    find hack -name '*.py' -print0 | xargs -0 -n1 python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")'
}

rule() { python3 "$here/check/source-rules.py" "$root" "$1"; }

check "the tools are there" tools
check "format (swift format)" formatting
if ((builds)); then
    check "build: no warning, no import that is not declared" building
else
    echo "- build: skipped, as asked (--no-build)"
fi
check "the rules below find what they are for" python3 "$here/check/source-rules-test.py"
check "Glibc in Kernel only, Foundation where it may be" rule glibc
check "each C module in one target, imported internally" rule c_modules
check "no public, no open" rule visibility
check "no trap, no unstructured task, no TODO without proof" rule patterns
check "names" rule names
check "the pure targets read no clock and print nothing" rule purity
check "what other targets see is documented" rule documentation
check "each problem code has its section" rule problem_codes
check "ARCHITECTURE.md is what Package.swift says" rule architecture
check "links in documents" rule links
check "shell scripts (shellcheck)" shell_scripts
check "Python scripts" python_scripts

echo "$passed checks passed, ${#failed[@]} failed"
((${#failed[@]} == 0))
