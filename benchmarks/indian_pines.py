"""Leaf accuracy of `hieratk demo` beside a random forest on the same split, and beside losses without the tree.

    python benchmarks/indian_pines.py --seeds 3 --out benchmarks/results/indian_pines.json

Each seed deals the 12-px blocks anew and seeds the training. The forest sees the 200 bands of one pixel, as the field's
baseline does; it is trained on the labelled pixels of the training blocks and scored on those of the test blocks. Whole
numbers of pixels are kept in the result, so that anybody can check the shares.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier

from hieratk.commands.demo import RUN
from hieratk.config import read_run
from hieratk.data.scenes import SceneReader
from hieratk.taxonomy.tables import compile_tables
from hieratk.training.evaluate import evaluate
from hieratk.training.fit import fit
from hieratk.training.setup import Prepared, prepare

LOSSES = ("bhccm", "level-bce", "flat-ce")


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--losses", nargs="+", default=LOSSES)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    for seed in range(args.first, args.first + args.seeds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "run.yaml").write_text(RUN, encoding="utf-8")
            for loss in args.losses:
                changes = [f"seed={seed}", f"split.seed={seed}", f"loss={loss}", *args.overrides]
                prepared = prepare(read_run(folder / "run.yaml", changes), folder=folder)
                start = time.perf_counter()
                scores = evaluate(fit(prepared, folder / loss), prepared)
                oa = {name: level.oa for name, level in scores.levels.items()}
                miou = {name: level.miou for name, level in scores.levels.items()}
                rows.append(
                    {"seed": seed, "model": loss, "oa": oa, "miou": miou, "consistency": scores.consistency,
                     "independent_consistency": scores.independent_consistency, "pixels": scores.pixels,
                     "seconds": round(time.perf_counter() - start, 1)}
                )  # fmt: skip
                print(json.dumps(rows[-1]), flush=True)
            start = time.perf_counter()
            rows.append({"seed": seed, "model": "random forest", "oa": forest(prepared, seed)})
            rows[-1]["seconds"] = round(time.perf_counter() - start, 1)
            print(json.dumps(rows[-1]), flush=True)
    finest = list(rows[0]["oa"])[-1]
    for model in (*args.losses, "random forest"):
        mine = np.array([row["oa"][finest] for row in rows if row["model"] == model])
        spread = 1.96 * mine.std(ddof=1) / len(mine) ** 0.5 if len(mine) > 1 else float("nan")
        print(f"{model:14s} leaf OA {100 * mine.mean():.1f} +- {100 * spread:.1f} %  ({len(mine)} splits)")
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        machine = {"torch": str(torch.__version__), "threads": torch.get_num_threads(), "machine": platform.machine()}
        args.out.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
