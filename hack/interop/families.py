"""Compares the families of metrics that an agent shows with what others make of them.

usage: families.py known TEXT METADATA    TEXT: text format; METADATA: what Prometheus answers to api/v1/targets/metadata
       families.py same TEXT OPENMETRICS  the same families in both forms

Prints how many there are; the exit status is 0 if all agree.
"""

import json
import re
import sys


def families(path):
    """Type and help by name."""
    found = {}
    with open(path) as file:
        for line in file:
            if match := re.match(r"# (TYPE|HELP) (\S+) (.*)", line):
                found.setdefault(match[2], {})[match[1]] = match[3].replace("\\n", "\n").replace("\\\\", "\\")
    return found


def base(name, kind):
    """OpenMetrics names a counter's family without the suffix of its samples."""
    return name.removesuffix("_total") if kind == "counter" else name


def known(text, metadata):
    with open(metadata) as file:
        entries = {entry["metric"]: entry for entry in json.load(file)["data"]}
    for name, family in text.items():
        # Prometheus asks for OpenMetrics first.
        entry = entries.get(name) or entries.get(base(name, family["TYPE"]))
        if entry is None:
            yield f"{name} is not known to Prometheus"
        elif entry["type"] not in (family["TYPE"], "unknown" if family["TYPE"] == "untyped" else None):
            yield f"{name} is a {family['TYPE']}, Prometheus took it for a {entry['type']}"
        elif entry["help"] != family.get("HELP", ""):
            yield f"{name}: Prometheus has another help: {entry['help']!r}"


def same(text, openmetrics):
    one = {(base(name, family["TYPE"]), family["TYPE"]) for name, family in text.items()}
    other = {(name, family["TYPE"]) for name, family in openmetrics.items()}
    for name, kind in sorted(one ^ other):
        yield f"{kind} {name} is in one form only"


def main():
    command, text, other = sys.argv[1:]
    here = families(text)
    wrong = list(known(here, other) if command == "known" else same(here, families(other)))
    if wrong or not here:
        sys.exit("\n".join(wrong) or "there are no families")
    print(f"{len(here)} families")


main()
