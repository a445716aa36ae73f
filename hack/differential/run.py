"""Runs both evaluators on random cases and compares every answer; see hack/differential.sh."""

import argparse
import collections
import copy
import json
import multiprocessing
import random
import subprocess
import sys
import time

from evaluator import Connection, World
from generator import ROOTS, Generator

PER_WORLD = 25
WORLDS_PER_CHUNK = 200
REASONS = (
    "POLICY_DENY", "NO_ALLOW_MATCH", "PLAINTEXT_REFUSED", "ALLOW_MATCH", "NO_ALLOW_POLICY", "CUSTOM_DENY",
    "dry run would-deny", "dry run would-allow", "AUDIT record",
)


def theirs(world):
    """The independent evaluator's answers."""
    objects, connections = world
    evaluated = World(objects, ROOTS)
    pods = {
        "%s/%s" % (o["metadata"]["namespace"], o["metadata"]["name"]): {
            "namespace": o["metadata"]["namespace"], "labels": o["metadata"]["labels"],
        }
        for o in objects if o["kind"] == "Pod"
    }
    return [
        evaluated.evaluate(pods[pod], Connection(principal, source, destination, port))
        for pod, principal, source, destination, port in connections
    ]


def ours(binary, worlds):
    """The mesh's answers, one list per world."""
    lines = []
    for objects, connections in worlds:
        lines += ["O " + json.dumps(o) for o in objects]
        lines += ["C %s\t%s\t%s\t%s\t%d" % (c[0], c[1] or "-", c[2], c[3], c[4]) for c in connections]
        lines.append("E")
    done = subprocess.run(
        [binary], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True
    ).stdout.splitlines()
    answers = [tuple(line.split("\t")) for line in done]
    result, position = [], 0
    for _, connections in worlds:
        result.append(answers[position:position + len(connections)])
        position += len(connections)
    if position != len(answers):
        raise RuntimeError("%d answers to %d questions" % (len(answers), position))
    return result


def disagrees(binary, world):
    return theirs(world) != ours(binary, [world])[0]


def parts(value, path=()):
    """Every place in an object from which something can be taken away."""
    if isinstance(value, dict):
        for key in list(value):
            yield path + (key,)
            yield from parts(value[key], path + (key,))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield path + (index,)
            yield from parts(item, path + (index,))


def without(value, path):
    value = copy.deepcopy(value)
    holder = value
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return value


def minimal(binary, world):
    """The world with everything taken away that the disagreement does not need."""
    objects, connections = world
    found = True
    while found:
        found = False
        candidates = [objects[:i] + objects[i + 1:] for i in range(len(objects)) if objects[i]["kind"] != "Pod"]
        for i, item in enumerate(objects):
            if item["kind"] != "Pod":
                candidates += [
                    objects[:i] + [without(item, path)] + objects[i + 1:]
                    for path in parts(item) if path[0] == "spec" and len(path) > 1
                ]
        for candidate in candidates:
            try:
                if disagrees(binary, (candidate, connections)) and not any(
                    answer[0].startswith("refused") for answer in ours(binary, [(candidate, connections)])[0]
                ):
                    objects, found = candidate, True
                    break
            except (ValueError, KeyError, IndexError):
                continue
    return objects, connections


def chunk(arguments):
    binary, seed, number, count = arguments
    generator = Generator(random.Random(seed * 1_000_003 + number))
    worlds = []
    while count > 0:
        worlds.append(generator.world(min(PER_WORLD, count)))
        count -= PER_WORLD
    verdicts, reasons, failures = collections.Counter(), collections.Counter(), []
    for world, answers in zip(worlds, ours(binary, worlds)):
        for connection, expected, answer in zip(world[1], theirs(world), answers):
            verdicts[expected[0]] += 1
            reasons[expected[1]] += 1
            if expected[3] != "-":
                reasons["dry run " + expected[3].split(":")[0]] += 1
            if expected[4] != "-":
                reasons["AUDIT record"] += 1
            if expected != answer:
                failures.append((world[0], connection))
    return verdicts, reasons, failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    print("seed %d" % seed, flush=True)
    began = time.monotonic()
    size = PER_WORLD * WORLDS_PER_CHUNK
    work = [
        (options.binary, seed, number, min(size, options.pairs - start))
        for number, start in enumerate(range(0, options.pairs, size))
    ]
    verdicts, reasons, failures = collections.Counter(), collections.Counter(), []
    with multiprocessing.Pool(options.jobs) as pool:
        for some_verdicts, some_reasons, some_failures in pool.imap_unordered(chunk, work):
            verdicts.update(some_verdicts)
            reasons.update(some_reasons)
            failures += some_failures
    for name, count in sorted(verdicts.items()) + sorted(reasons.items()):
        print("%-22s %9d" % (name, count))
    print("%.1f s" % (time.monotonic() - began))
    for objects, connection in failures[:5]:
        objects, connections = minimal(options.binary, (objects, [connection]))
        print("disagreement:")
        for item in objects:
            print("  " + json.dumps(item))
        print("  connection %s" % (connections[0],))
        print("  by the design %s" % (theirs((objects, connections))[0],))
        print("  by the mesh   %s" % (ours(options.binary, [(objects, connections)])[0][0],))
    missed = [name for name in ("allow", "deny") if verdicts[name] * 5 < options.pairs]
    missed += [name for name in REASONS if reasons[name] * 1000 < options.pairs]
    for name in missed:
        print("too few: %s" % name)
    print("%d pairs, %d disagreements" % (options.pairs, len(failures)))
    sys.exit(1 if failures or missed else 0)


if __name__ == "__main__":
    main()
