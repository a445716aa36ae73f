#!/usr/bin/env python3
"""Reads what callgrind counted, prints it per iteration, and holds it against the committed thresholds.

usage: compare.py SUBJECTS COUNTS THRESHOLDS show|check|update

SUBJECTS is the list that MicroCounted prints, COUNTS a directory with two callgrind files per subject,
of one run (NAME.once) and of one with twice as many iterations (NAME.twice). Exit status of
`check`: 0 nothing grew beyond the tolerance, 1 something did or has no threshold.
"""

import json
import pathlib
import sys

# What two machines' C libraries and processors (which memcpy, which AES) may differ by; a run repeats within 0.1 %.
INSTRUCTION_TOLERANCE = 0.05
# Per iteration, for collections that grow now and then.
ALLOCATION_TOLERANCE = 0.25

ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"}


def read_counts(path):
    """Instructions and calls of allocators in the file of one run; the calls are also those from before counting began."""
    instructions = allocations = 0
    callee = ""
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("totals:"):
            instructions = int(line.split()[1])
        elif line.startswith("cfn="):
            callee = line[4:]
        elif line.startswith("calls=") and callee in ALLOCATORS:
            allocations += int(line[6:].split()[0])
    if instructions == 0:
        sys.exit(f"compare.py: {path.name}: nothing was counted")
    return instructions, allocations


def counts_of(directory, name, iterations):
    """Instructions and allocations of one iteration."""
    once, twice = (read_counts(directory / f"{name}.{often}") for often in ("once", "twice"))
    return {
        "instructions": round((twice[0] - once[0]) / iterations, 1),
        "allocations": round((twice[1] - once[1]) / iterations, 2),
    }


def verdict(counts, threshold):
    """Whether `counts` are within `threshold`, and the words for it."""
    if threshold is None:
        return False, "no threshold is committed"
    grown = []
    if counts["instructions"] > threshold["instructions"] * (1 + INSTRUCTION_TOLERANCE):
        grown.append("instructions")
    if counts["allocations"] > threshold["allocations"] + ALLOCATION_TOLERANCE:
        grown.append("allocations")
    if grown:
        return False, "more " + " and ".join(grown)
    if counts["instructions"] < threshold["instructions"] * (1 - INSTRUCTION_TOLERANCE):
        return True, "fewer: commit it with --update"
    return True, ""


def main():
    if len(sys.argv) != 5 or sys.argv[4] not in ("show", "check", "update"):
        sys.exit(__doc__)
    subjects_path, counts_path, thresholds_path = map(pathlib.Path, sys.argv[1:4])
    mode = sys.argv[4]
    thresholds = json.loads(thresholds_path.read_text())
    measured, failed = {}, 0
    print(f"  {'per iteration':<18}{'instructions':>14}{'committed':>12}{'allocations':>13}{'committed':>11}")
    for line in subjects_path.read_text().splitlines():
        name, iterations, summary = line.split("\t")
        counts = counts_of(counts_path, name, int(iterations))
        threshold = thresholds.get(name)
        is_fine, words = verdict(counts, threshold)
        mark = " " if mode != "check" else "✓" if is_fine else "✗"
        failed += not is_fine
        committed = threshold or {"instructions": "-", "allocations": "-"}
        print(
            f"{mark} {name:<18}{counts['instructions']:>14}{committed['instructions']:>12}"
            f"{counts['allocations']:>13}{committed['allocations']:>11}  {words if mode == 'check' else summary}"
        )
        measured[name] = counts
    if mode == "update":
        thresholds_path.write_text(json.dumps(measured, indent=2) + "\n")
        print(f"written to {thresholds_path}")
    if mode == "check":
        for name in sorted(set(thresholds) - set(measured)):
            failed += 1
            print(f"✗ {name}: a threshold is committed, and nothing of that name is measured")
        print(
            f"{len(measured) - failed} passed, {failed} failed (tolerance: {INSTRUCTION_TOLERANCE:.0%} of the"
            f" instructions, {ALLOCATION_TOLERANCE} allocations)"
        )
        sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
