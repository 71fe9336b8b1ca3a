"""Leaf accuracy of `hieratk demo` beside a random forest on the same split, and beside losses without the tree.

    python benchmarks/indian_pines.py

Each seed deals the 12-px blocks anew and seeds the training. The forest sees the 200 bands of one pixel, as the field's
baseline does; it is trained on the labelled pixels of the training blocks and scored on those of the test blocks. One
line of JSON a run is added to --out as soon as it is done; runs that are there are not done again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from paired import interval
from sklearn.ensemble import RandomForestClassifier

from hieratk.commands.demo import RUN
from hieratk.config import read_run
from hieratk.data.scenes import SceneReader
from hieratk.taxonomy.tables import compile_tables
from hieratk.training.evaluate import evaluate
from hieratk.training.fit import fit
from hieratk.training.setup import Prepared, prepare

OUT = Path(__file__).parent / "results" / "indian_pines.jsonl"
LOSSES = ("bhccm", "tree-min", "level-bce", "flat-ce")
FOREST = "random forest"


def forest(prepared: Prepared, seed: int) -> dict[str, float]:
    """Accuracy by level of 200 trees on the raw bands; coarse levels are read off the predicted leaf."""
    tables = compile_tables(prepared.taxonomy)
    with SceneReader(prepared.scenes[0], prepared.taxonomy) as reader:
        image, valid = reader.image(reader.grid.window)
        labels = tables.index[reader.rows(reader.grid.window)]
        split = prepared.split.window(0, reader.grid.window)
    known = valid & (labels[..., -1] >= 0)
    train, test = known & (split == prepared.split.code("train")), known & (split == prepared.split.code("test"))
    model = RandomForestClassifier(200, random_state=seed, n_jobs=-1)
    model.fit(image[:, train].T, labels[train][:, -1])
    leaves = model.predict(image[:, test].T)
    levels = np.stack([tables.level_of_leaf(i)[leaves] for i in range(len(tables.sizes))], 1)
    return dict(zip(tables.level_names, (levels == labels[test]).mean(0).tolist(), strict=True))


def train(prepared: Prepared, folder: Path) -> dict[str, object]:
    """Scores of the demo's training on the test split."""
    scores = evaluate(fit(prepared, folder), prepared)
    return {
        "oa": {name: level.oa for name, level in scores.levels.items()},
        "miou": {name: level.miou for name, level in scores.levels.items()},
        "consistency": scores.consistency,
        "independent_consistency": scores.independent_consistency,
        "pixels": scores.pixels,
    }


def run(seed: int, model: str, overrides: list[str]) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run.yaml").write_text(RUN, encoding="utf-8")
        changes = [f"seed={seed}", f"split.seed={seed}", *([] if model == FOREST else [f"loss={model}"]), *overrides]
        prepared = prepare(read_run(folder / "run.yaml", changes), folder=folder)
        return {"oa": forest(prepared, seed)} if model == FOREST else train(prepared, folder / "run")


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def summary(path: Path, overrides: list[str]) -> str:
    """Mean scores of the leaves, and what the first loss is better by, paired by split."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows(path):
        if row["set"] == overrides:
            # The forest has no mIoU.
            scores = [list(row[key].values())[-1] for key in ("oa", "miou") if key in row]
            found.setdefault(row["model"], {})[row["seed"]] = [100 * score for score in scores]
    first = found.get(LOSSES[0], {})
    text = [f"{'':14}{'splits':>8}{'leaf OA':>9}{'mIoU':>7}   {LOSSES[0]} is better by: OA, mIoU"]
    for model, seeds in found.items():
        pairs = [] if model == LOSSES[0] else [(first[s], seeds[s]) for s in seeds if s in first]
        differences = zip(*([a - b for a, b in zip(*pair, strict=False)] for pair in pairs), strict=True)
        gains = ", ".join(interval(values) for values in differences)
        means = [float(np.mean(values)) for values in zip(*seeds.values(), strict=True)]
        shown = f"{means[0]:9.1f}" + "".join(f"{mean:7.1f}" for mean in means[1:]).rjust(7)
        text.append(f"{model:14}{len(seeds):8}{shown}   {gains}")
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=[*LOSSES, FOREST])
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--summary", action="store_true", help="only print what is done")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    done = {(row["seed"], row["model"], tuple(row["set"])) for row in rows(args.out)}
    for seed in () if args.summary else range(args.seeds):
        for model in args.models:
            if (seed, model, tuple(args.overrides)) in done:
                continue
            start = time.perf_counter()
            row = {"seed": seed, "model": model, "set": args.overrides, **run(seed, model, args.overrides)}
            row |= {"seconds": round(time.perf_counter() - start, 1), "torch": str(torch.__version__)}
            with args.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)
    print(summary(args.out, args.overrides))


if __name__ == "__main__":
    main()
