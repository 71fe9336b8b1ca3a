"""Time of the taxonomy language, as ratios within one run.

    python benchmarks/taxonomy.py [--classes 16000] [--rounds 5]

- reading: a tree of 16,000 classes read and validated, against PyYAML's C parser that only composes the same text
  (asked: at most 2);
- shipped: every shipped legend validated in one process (asked: under 1 s of work);
- remap: 4.2 Mpx of 134 values in another legend, with the counts of every value, against `numpy.take` through a uint8
  table of the same pixels (asked: at most 1.5), and the whole with reading and writing;
- memory: the highest resident size while remapping two rasters that are both larger than GDAL's cache of blocks, one
  with four times as many pixels, each in a process of its own (asked: independent of the size).

Each time is the least of some interleaved rounds, in processor time, since other work may run beside it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from hieratk.diagnostics import Source
from hieratk.rasters import Grid, Window, create
from hieratk.remap import connect, encoding_legend, remap, table
from hieratk.remap.gather import Gather, values_of
from hieratk.remap.survey import Survey
from hieratk.taxonomy.catalog import find, load, names
from hieratk.taxonomy.reader import read, read_file

TREE = "usda_cdl"
SIDE = 2048


def seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def least(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The least time of each call over some rounds that take them in turn."""
    found = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            found[name] = min(found[name], seconds(call))
    return found


def large_tree(count: int) -> str:
    """A document of so many classes on four levels, with codes, names and colours, as official ones are."""
    lines = ["hieratk: taxonomy/1", "id: large", "version: 1.0.0", "levels: [one, two, three, four]", "tree:"]
    classes = ["classes:"]
    for number in range(count):
        within = number % 1000
        depth = 0 if within == 0 else 1 if within % 100 == 1 else 2 if within % 10 == 2 else 3
        lines.append(f"{'  ' * (depth + 1)}c{number}:" + (f" {number}" if depth == 3 else ""))
        color = f"#{(number * 2654435761) % 2**24:06x}"
        classes.append(f'  c{number}: {{code: "{number:05}", name: Class number {number}, color: "{color}"}}')
    return "\n".join([*lines, *classes, "encodings:", "  default: {dtype: uint16}"]) + "\n"


def reading(count: int, rounds: int) -> None:
    text = large_tree(count)
    source = Source("large.yaml", text)
    taxonomy, problems = read(source)
    errors = [problem.message for problem in problems if problem.severity == "error"]
    assert taxonomy is not None, errors
    times = least(
        {"compose": lambda: yaml.compose(text, Loader=yaml.CBaseLoader), "read": lambda: read(source)}, rounds
    )
    ratio = times["read"] / times["compose"]
    print(f"reading {len(taxonomy):,} classes ({len(text) / 1e6:.1f} MB): {times['read']:.2f} s, {ratio:.2f} x compose")


def shipped(rounds: int) -> None:
    known = [find(name) for name in names()]
    size = sum(path.stat().st_size for path in known)
    took = least({"all": lambda: [read_file(path) for path in known]}, rounds)["all"]
    print(f"validating {len(known)} shipped legends ({size / 1e3:.0f} kB): {took:.2f} s")


def remapping(rounds: int) -> None:
    made = connect(TREE, level=load(TREE).level_names[1])
    values = [low for low, high, _ in load(TREE).encodings["default"].values for low in range(low, high + 1)]
    rng = np.random.default_rng(0)
    pixels = np.array(values, np.uint8)[rng.integers(0, len(values), (SIDE, SIDE))]
    lookup_table = made.values()[made.lookup(values_of(pixels.dtype))]
    assert lookup_table.dtype == np.uint8
    window = Window(0, 0, SIDE, SIDE)

    def compute() -> np.ndarray:
        Survey(made.lookup, pixels.dtype).add(pixels, window)
        return gather(pixels)

    gather = Gather.of(lookup_table)
    assert np.array_equal(compute(), lookup_table.take(pixels))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.tif"
        write(source, pixels)
        calls: dict[str, Callable[[], object]] = {
            "take": lambda: lookup_table.take(pixels),
            "gather": lambda: gather(pixels),
            "compute": compute,
            "whole": lambda: remap(source, Path(folder) / "out.tif", made, allow_dropped=True),
        }
        times = least(calls, 3 * rounds)
    ms = {name: 1e3 * took for name, took in times.items()}
    print(
        f"remap {len(values)} values, {pixels.size / 1e6:.1f} Mpx: take {ms['take']:.1f} ms, gather {ms['gather']:.1f}"
        f" ms, gather and counts {ms['compute']:.1f} ms = {ms['compute'] / ms['take']:.2f} x take; with reading,"
        f" writing and reading back {ms['whole']:.0f} ms"
    )


def write(path: Path, pixels: np.ndarray, times: int = 1) -> None:
    """A raster of the pixels, `times` of them below one another."""
    height, width = pixels.shape
    with create(path, Grid(times * height, width), count=1, dtype=str(pixels.dtype)) as sink:
        for number in range(times):
            sink.write(pixels[None], Window(number * height, 0, height, width))


def peak(path: str, output: str) -> None:
    """In a process of its own: remap, and print the highest resident size in MB."""
    import resource

    remap(path, output, table(load(TREE), encoding_legend(load(TREE)), way=""), allow_dropped=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def memory() -> None:
    rng = np.random.default_rng(0)
    # Large patches: the test is about memory, and should not wait for a compressor.
    pixels = np.kron(rng.integers(0, 200, (32, 32), dtype=np.uint8), np.ones((128, 128), np.uint8))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for times in (8, 32):
            source, output = Path(folder) / "in.tif", Path(folder) / "out.tif"
            write(source, pixels, times)
            command = [sys.executable, __file__, "--peak", str(source), str(output)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append((times * pixels.size / 1e6, float(done.stdout.split()[-1])))
    words = ", ".join(f"{mpx:.0f} Mpx {mb:.0f} MB" for mpx, mb in found)
    print(f"memory: {words} = {found[1][1] / found[0][1]:.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, default=16_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak:
        peak(*args.peak)
        return
    reading(args.classes, args.rounds)
    shipped(args.rounds)
    remapping(args.rounds)
    memory()


if __name__ == "__main__":
    main()
