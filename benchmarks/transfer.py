"""TransLU against its controls: one row of JSON for each (pair, labels, method, seed), resumable.

    python benchmarks/transfer.py --data DATA --work FOLDER --pair agnet --labels points=20 --seeds 0 1 2 3 4
    python benchmarks/transfer.py --table

A source model is trained once for each seed and kept in the work folder. Scores are those of the target's test split;
`--split val` gives the ones to tune by. Rows that are in the results already are not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from paired import interval

import hieratk
from hieratk.checkpoints import Checkpoint, open_checkpoint
from hieratk.config import RunFile, read_run
from hieratk.crosswalk.catalog import load as load_crosswalk
from hieratk.training.course import Course
from hieratk.training.evaluate import Scores, evaluate_model
from hieratk.training.fit import fit
from hieratk.training.setup import prepare
from hieratk.training.transfer import Transferring, keep_source, prepared_run
from hieratk.transfer.planning import plan

HERE = Path(__file__).parent / "transfer"
RESULTS = HERE / "results.jsonl"


@dataclass(frozen=True)
class Pair:
    """Two trees, the crosswalk between them where names do not do, learning rates of methods that take another one than
    the target's run file says, and what else that run file needs for a transfer."""

    source: str
    target: str
    crosswalk: str | None
    rates: Mapping[str, float]
    changes: tuple[str, ...] = ()


METHODS: dict[str, dict[str, object]] = {
    "scratch": {"transfer": None},
    "fine-tune": {"transfer.start": "random", "transfer.sharing": False, "transfer.alignment": 0},
    "frozen + head": {
        "transfer.start": "random",
        "transfer.sharing": False,
        "transfer.alignment": 0,
        "transfer.target": "head",
    },
    "expansion": {"transfer.sharing": False, "transfer.alignment": 0},
    "TransLU": {},
    "without CDKS": {"transfer.sharing": False},
    "without CDSA": {"transfer.alignment": 0},
    "shuffled": {"transfer.shuffle": True},
}
"""What each row changes in the run file."""

RATES = {"fine-tune": 0.002, "frozen + head": 0.02}
"""Chosen on the validation split of the first pair, with a seed of its own."""

PAIRS = {
    "agnet": Pair("agnet_cover.yaml", "agnet_crops.yaml", "agnet_crops_to_cover.yaml", RATES),
    "zion": Pair("nlcd", "agnet_crops.yaml", "agnet_crops_to_nlcd.yaml", RATES, ("transfer.bands=[1, 2, 3, 4]",)),
    "gewata": Pair("gewata_cover.yaml", "agnet_crops.yaml", "agnet_crops_to_gewata.yaml", RATES),
    # Chosen on another split of the same scene, which has too few pixels for a validation split.
    "indian-pines": Pair(
        "indian_pines_cover",
        "indian_pines",
        None,
        {"frozen + head": 0.02, **dict.fromkeys(("TransLU", "without CDKS", "without CDSA", "shuffled"), 0.01)},
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HIERATK_DATA", "data")))
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--pair", choices=PAIRS, default="agnet")
    parser.add_argument("--labels", default="points=20", help="points=N, blocks=N or all")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--set", nargs="*", default=[], help="changes of the target's run file, named in the results")
    parser.add_argument("--split", choices=("val", "test"), default="test")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    if args.table:
        table(args.results)
        return
    done = {key(row) for row in rows(args.results)}
    for seed in args.seeds:
        for method in args.methods:
            row: dict[str, object] = {
                "pair": args.pair,
                "labels": args.labels,
                "method": method,
                "seed": seed,
                "split": args.split,
                "set": sorted(args.set),
            }
            if key(row) in done:
                continue
            start = time.monotonic()
            scores = carry_out(args, method, seed)
            row |= {
                "levels": {name: {"oa": s.oa, "miou": s.miou} for name, s in scores.levels.items()},
                "iou": {name: dict(s.iou) for name, s in scores.levels.items()},
                "seconds": round(time.monotonic() - start, 1),
                "torch": str(torch.__version__),
                "hieratk": hieratk.__version__,
            }
            with args.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            last = list(scores.levels.values())[-1]
            print(f"{args.pair} {args.labels} {method} seed {seed}: OA {last.oa:.3f} mIoU {last.miou:.3f}", flush=True)


def carry_out(args: argparse.Namespace, method: str, seed: int) -> Scores:
    """Train one row and score it."""
    source = source_model(args, seed)
    run = target_run(args, seed, method)
    if method != "scratch":
        run = prepared_run(run, source)
    folder = args.work / args.pair / f"{args.labels}-{method}-{seed}-{os.getpid()}".replace(" ", "_")
    prepared = prepare(run, folder=args.work / args.pair / "cache")
    course: Course | None = None
    if method != "scratch":
        crosswalk = PAIRS[args.pair].crosswalk
        linked = load_crosswalk(HERE / crosswalk) if crosswalk else None
        course = Transferring(plan(source.taxonomy, prepared.taxonomy, crosswalk=linked), source, prepared)
        keep_source(source, folder / "source")
    fit(prepared, folder, course=course)
    try:
        return evaluate_model(open_checkpoint(folder).model(), prepared, split=args.split, device="cpu")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def source_model(args: argparse.Namespace, seed: int) -> Checkpoint:
    """The source checkpoint of a seed, trained at the first question."""
    folder = args.work / args.pair / f"source-{seed}"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run = source_run(args, seed)
        fit(prepare(run, folder=args.work / args.pair / "cache"), folder)
        (folder / "done").touch()
    return open_checkpoint(folder)


def source_run(args: argparse.Namespace, seed: int) -> RunFile:
    pair, changes = PAIRS[args.pair], [f"seed={seed}"]
    if args.pair == "agnet":
        return agnet_run(args, pair.source, "west", changes)
    if args.pair == "indian-pines":
        return read_run(HERE / "indian_pines.yaml", [f"taxonomy={pair.source}", "transfer=null", *changes])
    return read_run(HERE / f"{args.pair}.yaml", [f"root={(args.data / args.pair).resolve()}", *changes])


def target_run(args: argparse.Namespace, seed: int, method: str) -> RunFile:
    pair, changes = PAIRS[args.pair], [f"seed={seed}"]
    if args.labels != "all":
        kind, number = args.labels.split("=")
        changes.append(f"labels={{{kind}: {number}, seed: {seed}}}")
    if method != "scratch":
        changes += pair.changes
    changes += [f"{name}={json.dumps(value)}" for name, value in METHODS[method].items()]
    if method in pair.rates:
        changes.append(f"schedule.lr={pair.rates[method]}")
    changes += args.set
    if args.pair == "indian-pines":
        return read_run(HERE / "indian_pines.yaml", [f"taxonomy={pair.target}", *changes])
    return agnet_run(args, pair.target, "east", changes)


def agnet_run(args: argparse.Namespace, taxonomy: str, half: str, changes: list[str]) -> RunFile:
    """The run file of one half of the mosaic: tiles left of column 24, or from it on, in their official splits."""
    table_ = args.work / f"{half}.csv"
    if not table_.exists():
        args.work.mkdir(parents=True, exist_ok=True)
        head, *lines = (args.data / "agnet" / "tiles.csv").read_text(encoding="utf-8").splitlines()
        column = head.split(",").index("col")
        kept = [line for line in lines if (int(line.split(",")[column]) < 24) == (half == "west")]
        part = table_.with_suffix(".part")
        part.write_text("\n".join([head, *kept]) + "\n", encoding="utf-8")
        part.replace(table_)
    return read_run(
        HERE / f"agnet_{half}.yaml",
        [
            f"root={(args.data / 'agnet').resolve()}",
            f"split={{kind: table, table: {table_.resolve()}, tile: 128}}",
            f"taxonomy={taxonomy}",
            *changes,
        ],
    )


def rows(path: Path) -> Iterator[dict[str, object]]:
    if path.exists():
        yield from (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


def key(row: dict[str, object]) -> tuple[str, ...]:
    return tuple(json.dumps(row[name]) for name in ("pair", "labels", "method", "seed", "split", "set"))


def table(path: Path) -> None:
    """Means over seeds by method, and the paired difference to full fine-tuning with a 95 % interval (Student's t)."""
    groups: dict[tuple[str, ...], dict[str, dict[int, dict[str, dict[str, float]]]]] = {}
    for row in rows(path):
        group = tuple(str(row[name]) for name in ("pair", "labels", "split", "set"))
        groups.setdefault(group, {}).setdefault(str(row["method"]), {})[int(row["seed"])] = row["levels"]  # type: ignore[assignment, call-overload]
    for group, methods in groups.items():
        print(f"\n### {', '.join(part for part in group if part != '[]')}\n")
        base = methods.get("fine-tune", {})
        names = list(next(iter(next(iter(methods.values())).values())))
        print(
            "| method | seeds | "
            + " | ".join(f"{n} OA | {n} mIoU" for n in names)
            + " | leaf mIoU against fine-tuning |"
        )
        print("| --- | --- | " + " | ".join("---" for _ in range(2 * len(names) + 1)) + " |")
        for method in [name for name in METHODS if name in methods]:
            found = methods[method]
            cells = [
                f"{100 * statistics.mean(s[n][m] for s in found.values()):.1f}" for n in names for m in ("oa", "miou")
            ]
            both = sorted(set(found) & set(base))
            gains = [100 * (found[s][names[-1]]["miou"] - base[s][names[-1]]["miou"]) for s in both]
            gain = interval(gains) if method != "fine-tune" else ""
            print(f"| {method} | {len(found)} | {' | '.join(cells)} | {gain} |")


if __name__ == "__main__":
    main()
