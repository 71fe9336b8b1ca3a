"""What coarse labels are worth: a few labelled pixels of each crop, alone and with coarse labels on every other pixel.

    python benchmarks/coarse_labels.py --data /path/to/agnet
    python benchmarks/coarse_labels.py --summary

Ag-Net (Landsat 8, labels of the Cropland Data Layer; examples/agnet.yaml without logit adjustment): 5, 20 or 100 pixels
of each leaf, and every other training pixel unlabelled, or labelled at level 1 (cover), or at level 2 (group). Losses:
`bhccm` as it is by default, `marginal`, `tree-min`, and `tree-min ignore`, whose coarse labels teach nothing below
their level. Networks start alike and see the same points for one seed, so differences are paired by seed. Every step
has as many chips: around the points, or, where all pixels are labelled, `--anywhere` of them from anywhere.

One line of JSON a run is added to --out as soon as it is done; runs that are there are not done again, so an
interrupted grid goes on. A run whose line has other settings (--steps and the like) is another run.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from paired import interval
from torch import Tensor

from hieratk.config import read_run
from hieratk.data.augment import Augmentation, augment
from hieratk.data.chips import ChipSampler, load_batch
from hieratk.data.few import points_per_class
from hieratk.data.scenes import SceneReader
from hieratk.losses import NAMES, NodeLoss, TreeMinLoss, decoding_of
from hieratk.models import HierarchicalModel, build
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors
from hieratk.training.evaluate import evaluate_model
from hieratk.training.setup import Prepared, prepare

ROOT = Path(__file__).parent
OUT = ROOT / "results" / "coarse_labels.jsonl"
LOSSES = ("bhccm", "marginal", "tree-min", "tree-min ignore")
COARSE = ("alone", "level 1", "level 2")


@dataclass(frozen=True)
class Cell:
    """One run of the grid, and everything that its numbers depend on."""

    loss: str
    points: int
    coarse: str
    seed: int
    steps: int
    batch: int
    chip: int
    lr: float
    precision: str
    anywhere: int


def loss_of(name: str, taxonomy: Taxonomy) -> NodeLoss:
    if name.endswith("ignore"):
        return TreeMinLoss(taxonomy, coarse="ignore")
    return NAMES[name](taxonomy)


def coarse_rows(tree: TaxonomyTensors, level: int) -> np.ndarray:
    """(R,) for each label row the row of its class at a level (1 is the coarsest); row 0 where it names none there."""
    tables = tree.tables
    ids = tables.channel_ids(level - 1)
    found = np.zeros(len(tables.row_ids), np.int64)
    for row, index in enumerate(tables.index[:, level - 1]):
        found[row] = tables.row(ids[index]) if index >= 0 else 0
    return found


def learn(cell: Cell, prepared: Prepared, readers: list[SceneReader]) -> HierarchicalModel:
    """The network of examples/agnet.yaml after a cell's steps."""
    few = points_per_class(
        prepared.scenes, prepared.split, prepared.survey, prepared.taxonomy, number=cell.points, seed=cell.seed
    )
    assert few.points is not None
    tree = TaxonomyTensors(prepared.taxonomy)
    masks = []
    for reader, points in zip(readers, few.points, strict=True):
        masks.append(np.zeros((reader.grid.height, reader.grid.width), bool))
        masks[-1][tuple(points.T)] = True
    instead = np.zeros(len(tree.tables.row_ids), np.int64)
    if cell.coarse != "alone":
        instead = coarse_rows(tree, int(cell.coarse.split()[1]))
    # Chips around the points; where all pixels are labelled, some of them from anywhere.
    samplers = [ChipSampler(few.survey, few.split, chip=cell.chip, batch=cell.batch, seed=cell.seed)]
    if cell.coarse != "alone" and cell.anywhere:
        around, chip = cell.batch - cell.anywhere, cell.chip
        samplers = [
            ChipSampler(few.survey, few.split, chip=chip, batch=around, seed=cell.seed),
            ChipSampler(prepared.survey, prepared.split, chip=chip, batch=cell.anywhere, seed=cell.seed + 1),
        ]
    torch.manual_seed(cell.seed)
    model = build("unet", prepared.taxonomy, in_channels=len(prepared.bands))
    loss = loss_of(cell.loss, prepared.taxonomy)
    optimizer = torch.optim.AdamW(model.parameters(), lr=cell.lr, weight_decay=0.01)
    warmup = max(cell.steps // 20, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda s: min((s + 1) / warmup, 0.5 * (1 + math.cos(math.pi * max(s - warmup, 0) / (cell.steps - warmup + 1)))),
    )
    model.train()
    for step in range(cell.steps):
        images, rows = _batch(samplers, readers, prepared, masks, instead, step)
        torch.manual_seed(cell.seed * 1_000_003 + step)
        images, rows = augment(images, rows, seed=cell.seed * 1_000_003 + step, options=Augmentation())
        with torch.autocast("cpu", torch.bfloat16, enabled=cell.precision == "bfloat16"):
            logits = model(images)
        value = loss(logits.float(), tree.labels(rows))
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.decoding = decoding_of(cell.loss.split()[0])
    return model


def _batch(
    samplers: list[ChipSampler],
    readers: list[SceneReader],
    prepared: Prepared,
    masks: list[np.ndarray],
    instead: np.ndarray,
    step: int,
) -> tuple[Tensor, Tensor]:
    """Images and label rows of a step: the leaf at labelled points, `instead` of it everywhere else."""
    places = [place for sampler in samplers for place in sampler.batch(step)]
    images, rows = load_batch(readers, places, prepared.survey.statistics)
    points = np.stack([masks[scene][w.row : w.row + w.height, w.col : w.col + w.width] for scene, w in places])
    leaves = rows.numpy()
    return images, torch.from_numpy(np.where(points, leaves, instead[leaves]).astype(np.int32))


def run(cells: list[Cell], data: Path, out: Path) -> None:
    """Do the cells that are not in `out` yet."""
    done = {json.dumps(line["cell"]) for line in lines(out)}
    todo = [cell for cell in cells if json.dumps(asdict(cell)) not in done]
    print(f"{len(todo)} of {len(cells)} runs to do", flush=True)
    if not todo:
        return
    prepared = prepare(read_run(ROOT.parent / "examples" / "agnet.yaml", [f"root={data}"]), folder=out.parent)
    readers = [SceneReader(scene, prepared.taxonomy) for scene in prepared.scenes]
    for reader in readers:
        reader.keep()
    out.parent.mkdir(parents=True, exist_ok=True)
    for cell in todo:
        start = time.perf_counter()
        model = learn(cell, prepared, readers)
        scores = evaluate_model(model, prepared, split="test", device="cpu")
        line = {
            "cell": asdict(cell),
            "miou": {name: level.miou for name, level in scores.levels.items()},
            "oa": {name: level.oa for name, level in scores.levels.items()},
            "pixels": scores.pixels,
            "seconds": round(time.perf_counter() - start, 1),
            "torch": str(torch.__version__),
            "threads": torch.get_num_threads(),
        }
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)
    for reader in readers:
        reader.close()


def lines(path: Path) -> Iterator[dict]:
    """The runs that are done; a last line cut short by an interruption is left out."""
    if path.exists():
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(text)
            except json.JSONDecodeError:
                continue


def summary(path: Path) -> str:
    """Leaf mIoU and OA by loss, points and coarse labels; the gain in mIoU over the points alone, and over marginal,
    paired by seed.
    """
    found: dict[tuple[int, int], dict[tuple[str, int, str], dict[int, tuple[float, float]]]] = {}
    for line in lines(path):
        cell, miou, oa = line["cell"], list(line["miou"].values()), list(line["oa"].values())
        key = (cell["loss"], cell["points"], cell["coarse"])
        group = found.setdefault((cell["steps"], cell["batch"] * cell["chip"] ** 2), {})
        group.setdefault(key, {})[cell["seed"]] = (100 * miou[-1], 100 * oa[-1])
    text = []
    for (steps, pixels), group in found.items():
        text += [
            f"{steps} steps of {pixels} pixels",
            f"{'':34}{'mIoU':>8}{'OA':>8}   gain over the points alone; over marginal",
        ]
        for (loss, points, coarse), seeds in sorted(group.items(), key=lambda item: (item[0][1], item[0])):
            values = np.array(list(seeds.values()))
            gains = []
            for rival in ((loss.split()[0], points, "alone"), ("marginal", points, coarse)):
                other = {} if rival == (loss, points, coarse) else group.get(rival, {})
                gains.append(interval([seeds[s][0] - other[s][0] for s in seeds if s in other]))
            gain = "; ".join(gains)
            name = f"{points:4} points, {coarse:8} {loss}"
            text.append(f"{name:34}{values[:, 0].mean():8.1f}{values[:, 1].mean():8.1f}   {gain} ({len(values)} seeds)")
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder with image.tif, label.tif and tiles.csv")
    parser.add_argument("--points", type=int, nargs="+", default=[20, 5, 100])
    parser.add_argument("--coarse", nargs="+", default=COARSE, choices=COARSE)
    parser.add_argument("--losses", nargs="+", default=["bhccm", "marginal"], choices=LOSSES)
    parser.add_argument("--seeds", type=int, default=3, help="seeds below this one")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--chip", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.004)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--anywhere", type=int, default=4, help="chips of a step from anywhere, not around a point")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--summary", action="store_true", help="only print what is done")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if not args.summary:
        if args.data is None:
            parser.error("--data: the folder of Ag-Net is not part of hieratk")
        cells = [
            Cell(loss, points, coarse, seed, args.steps, args.batch, args.chip, args.lr, args.precision, args.anywhere)
            for points in args.points
            for seed in range(args.first_seed, args.seeds)
            for loss in args.losses
            for coarse in args.coarse
            # Where all labels are leaves the two forms of tree-min are one.
            if not (loss == "tree-min ignore" and coarse == "alone")
        ]
        run(cells, args.data.resolve(), args.out)
    print(summary(args.out))


if __name__ == "__main__":
    main()
