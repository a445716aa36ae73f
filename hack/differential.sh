#!/bin/sh
# Compares the mesh's evaluation of L4 policy with an independent one in Python, written from the policy design alone,
# on random pairs of policies and connections: hack/differential.sh [--pairs N] [--seed S].
#
# Prints the seed, counts by verdict and reason, and each disagreement with a minimal case; fails on any, and when an
# outcome came too rarely. POLICY_VERDICTS names a PolicyVerdicts that is already built.
set -eu
cd "$(dirname "$0")/.."

binary=${POLICY_VERDICTS:-}
if [ -z "$binary" ]; then
    swift build -c release --product PolicyVerdicts
    binary=$(swift build -c release --show-bin-path)/PolicyVerdicts
fi
exec python3 hack/differential/run.py --binary "$binary" "$@"
