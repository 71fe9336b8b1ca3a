"""The long fuzz of the reader: 100,000 broken documents, never an exception, a crash or more than five seconds.

    nice -n 19 python -m benchmarks.fuzz --count 100000 --seed 1

Documents are mutations of shipped trees, crosswalks and the examples of the tests (`tests/mutations.py`). It is guided
by what the reader says: a document that draws findings never drawn together before joins the corpus, so that faults
pile up. Work is done in slices, each in a process of its own with a seed of its own, so that a crash is noticed and can
be repeated: `--first N --slices 1` runs slice N again. `--minutes` stops after the slice during which the time is up;
the last line says how far it came and how to go on.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import time
from multiprocessing.connection import Connection

from tests.mutations import FORMATS, Corpus, documents, examine, mutated

SLICE = 2_000
LIMIT = 5.0
STUCK = 120.0


def run_slice(seed: int, number: int, count: int, pipe: Connection) -> None:
    """One slice; sends the number of each document before it is read, so that the parent knows which one killed us."""
    rng = random.Random(f"{seed}:{number}")
    corpus = Corpus(documents())
    codes: set[str] = set()
    valid, slowest, faults = 0, 0.0, []
    for index in range(count):
        data = mutated(rng, corpus)
        if index % 50 == 0:
            pipe.send(("at", index))
        begin = time.process_time()
        try:
            found, fine = examine(data, formats=FORMATS if index % 10 == 0 else FORMATS[:1])
        except Exception as error:
            faults.append({"slice": number, "document": index, "error": repr(error)[:300], "text": repr(data)[:4000]})
            continue
        seconds = time.process_time() - begin
        if seconds > LIMIT:
            faults.append({"slice": number, "document": index, "error": f"{seconds:.1f} s", "text": repr(data)[:4000]})
        slowest = max(slowest, seconds)
        corpus.learn(data.decode("utf-8", "surrogateescape"), found)
        codes |= found
        valid += fine
    pipe.send(("done", {"codes": sorted(codes), "valid": valid, "slowest": slowest, "faults": faults}))


def supervise(seed: int, number: int, count: int) -> dict[str, object]:
    """Run a slice in a child; a child that dies or is stuck is a fault too."""
    mine, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=run_slice, args=(seed, number, count, theirs))
    child.start()
    theirs.close()
    at = 0
    try:
        while mine.poll(STUCK):
            kind, content = mine.recv()
            if kind == "done":
                child.join()
                return dict(content)
            at = content
        what = "stuck"
    except EOFError:
        what = "killed"
    child.kill()
    child.join()
    fault = {"slice": number, "document": f"{at}..{at + 49}", "error": f"{what}, exit code {child.exitcode}"}
    return {"codes": [], "valid": 0, "slowest": 0.0, "faults": [fault]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first slice")
    parser.add_argument("--slices", type=int, default=None)
    parser.add_argument("--minutes", type=float, default=None)
    args = parser.parse_args()
    total = -(-args.count // SLICE)
    last = total if args.slices is None else min(args.first + args.slices, total)
    begin, codes, valid, slowest, faults, number = time.monotonic(), set(), 0, 0.0, 0, args.first
    while number < last and (args.minutes is None or time.monotonic() - begin < 60 * args.minutes):
        result = supervise(args.seed, number, min(SLICE, args.count - number * SLICE))
        codes |= set(result["codes"])  # type: ignore[call-overload]
        valid += int(result["valid"])  # type: ignore[call-overload]
        slowest = max(slowest, float(result["slowest"]))  # type: ignore[arg-type]
        for fault in result["faults"]:  # type: ignore[attr-defined]
            faults += 1
            print(json.dumps(fault, ensure_ascii=True), flush=True)
        number += 1
        print(f"slice {number} of {total}, {faults} faults", file=sys.stderr, flush=True)
    done = min(number * SLICE, args.count) - args.first * SLICE
    print(
        f"seed {args.seed}, slices {args.first}..{number - 1} of {total}, {done:,} documents, {valid:,} valid,"
        f" {len(codes)} rules, slowest {slowest:.2f} s, {faults} faults"
    )
    if number < total:
        print(f"go on with --seed {args.seed} --count {args.count} --first {number}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
