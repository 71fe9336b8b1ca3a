"""Calibrating a checkpoint: temperatures from some blocks of a split, thresholds from the others, a check on a third
split."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hieratk.calibration.control import Floats, Ints, choose_threshold, smallest_risk, unit_shares, wrong_until
from hieratk.calibration.temperature import fit_temperatures
from hieratk.calibration.units import Blocks, Pixels, Progress, blocks_of, halves, labelled_pixels
from hieratk.checkpoints import open_checkpoint, store_calibration
from hieratk.data.scenes import SceneReader
from hieratk.decoding import Calibration, best_path, decoder, heaviest_path, tempered
from hieratk.errors import ConfigError, DataError
from hieratk.models import HierarchicalModel
from hieratk.tensors import TaxonomyTensors
from hieratk.training.setup import Prepared

RISKS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""Risks that get a threshold besides the one asked for, as far as the number of units allows."""

FITTED = 50_000
"""Pixels that temperatures are fitted on at most."""

KEPT = 4_000_000
"""Pixels that thresholds and tables rest on at most; of more a random part is kept."""


@dataclass(frozen=True, slots=True)
class Row:
    """A risk and what it means on some pixels.

    Attributes:
        asked, threshold: of the calibration.
        met: mean over units of the share of pixels that do not lie below the class decided for them.
        error: standard error of `met` over units; NaN for a single unit.
        depth: mean number of levels decided.
        stops: share of pixels that stop with no, one, ..., all levels decided.
    """

    asked: float
    threshold: float
    met: float
    error: float
    depth: float
    stops: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A calibration and its table: on the pixels it was chosen on, or on those of another split (`checked`)."""

    calibration: Calibration
    levels: tuple[str, ...]
    rows: tuple[Row, ...]
    checked: str | None
    pixels: int
    units: int

    def to_json(self) -> str:
        """As JSON; an error that does not exist (NaN) is null."""
        content = asdict(self)
        for row in content["rows"]:
            row["error"] = None if math.isnan(row["error"]) else row["error"]
        return json.dumps(content, indent=1)


def calibrate(
    folder: Path,
    prepared: Prepared,
    *,
    risk: float = 0.1,
    split: str = "val",
    block: int | None = None,
    check: str | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Report:
    """Calibrate a checkpoint on a split that it did not learn from, and store the result in it.

    `block` is the side in pixels of what is taken as exchangeable [default: the blocks of the split]; 1 takes every
    pixel by itself, which neighbouring pixels are not (docs/calibration.md). `check` names a split to show the met
    risks on. Raises ConfigError for an impossible risk or split, DataError for too few units or labels,
    CheckpointError where the checkpoint is of another tree.
    """
    if not 0 < risk < 1:
        raise ConfigError(f"risk {risk:g} must lie between 0 and 1: the share of decided classes that may be wrong")
    if split == "train" or check in ("train", split):
        raise ConfigError("calibrate and check on different splits that the model did not learn from: val and test")
    checkpoint = open_checkpoint(folder)
    checkpoint.require(prepared.taxonomy)
    if decoder(checkpoint.decoding) is not best_path:
        raise ConfigError(
            f"the loss `{checkpoint.run.run.loss.name}` of {folder} does not train every level's logits, which a "
            "calibration reads; train with `bhccm` or another loss on all levels"
        )
    prepared.survey.require(split)
    blocks = blocks_of(prepared, split, block=block or prepared.split.block)
    fitting, choosing = halves(blocks)
    tree = TaxonomyTensors(prepared.taxonomy).to(device)
    with _source(checkpoint.model().to(device), prepared, tree, device, progress) as pixels:
        temperatures = _temperatures(pixels(split, fitting), tree)
        found = _Seen.gather(pixels(split, choosing), tree, temperatures, labelled=prepared.survey.labelled(split))
        calibration = _calibration(found, temperatures, risk, split, blocks.block)
        if check is not None:
            prepared.survey.require(check)
            wanted = blocks_of(prepared, check, block=blocks.block)
            found = _Seen.gather(pixels(check, wanted), tree, temperatures, labelled=prepared.survey.labelled(check))
    rows = tuple(found.row(asked, threshold) for asked, threshold in calibration.thresholds)
    store_calibration(folder, calibration)
    units = len(np.unique(found.units))
    return Report(calibration, prepared.taxonomy.level_names, rows, check, len(found.units), units)


@contextmanager
def _source(
    model: HierarchicalModel,
    prepared: Prepared,
    tree: TaxonomyTensors,
    device: str,
    progress: Progress | None,
) -> Iterator[_Source]:
    readers = [SceneReader(scene, prepared.taxonomy) for scene in prepared.scenes]
    try:
        yield _Source(model, prepared, readers, tree, device, progress)
    finally:
        for reader in readers:
            reader.close()


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """Labelled pixels by split and blocks."""

    model: HierarchicalModel
    prepared: Prepared
    readers: Sequence[SceneReader]
    tree: TaxonomyTensors
    device: str
    progress: Progress | None

    def __call__(self, split: str, blocks: Blocks) -> Iterator[Pixels]:
        return labelled_pixels(
            self.model, self.prepared, self.readers, self.tree,
            split=split, blocks=blocks, device=self.device, progress=self.progress,
        )  # fmt: skip


def _temperatures(pixels: Iterator[Pixels], tree: TaxonomyTensors) -> tuple[float, ...]:
    """Fitted on a uniform sample: of all pixels those with the smallest random numbers."""
    most = max(1, min(FITTED, 4_000_000 // tree.channels))
    random = torch.Generator().manual_seed(0)
    key = torch.empty(0)
    logits, labels = torch.empty(0, tree.channels), torch.empty(0, tree.n_levels, dtype=torch.int64)
    for part in pixels:
        key = torch.cat([key, torch.rand(len(part.units), generator=random)])
        logits = torch.cat([logits, part.logits.float().cpu()])
        labels = torch.cat([labels, part.labels.cpu()])
        if len(key) > most:
            at = key.topk(most, largest=False).indices
            key, logits, labels = key[at], logits[at], labels[at]
    if not len(key):
        raise DataError(
            "the blocks dealt out for temperatures hold no labelled pixel; calibrate on a split with more labels, "
            "or on smaller blocks"
        )
    return fit_temperatures(logits, labels, TaxonomyTensors(tree.taxonomy))


def _calibration(found: _Seen, temperatures: tuple[float, ...], risk: float, split: str, block: int) -> Calibration:
    units = len(np.unique(found.units))
    asked = sorted({risk, *(r for r in RISKS if r >= smallest_risk(units))})
    thresholds = [(r, choose_threshold(found.until, found.units, risk=r)) for r in asked]
    return Calibration(temperatures, risk, tuple(thresholds), block, units, split)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Of each pixel: from which threshold on it is not wrong (P,), probabilities on its path (P, L), its unit (P,)."""

    until: Floats
    probabilities: Tensor
    units: Ints

    @classmethod
    def gather(
        cls, pixels: Iterator[Pixels], tree: TaxonomyTensors, temperatures: tuple[float, ...], *, labelled: int
    ) -> _Seen:
        """Of all pixels, or of a random part where there are too many to keep."""
        share = min(1.0, KEPT / max(labelled, 1))
        random = np.random.default_rng(0)
        parts: list[tuple[Tensor, Tensor, Ints]] = []
        for part in pixels:
            keep = np.flatnonzero(random.random(len(part.units)) < share) if share < 1 else np.arange(len(part.units))
            at = torch.from_numpy(keep).to(part.logits.device)
            classes, p = heaviest_path(part.logits[at].float(), tree, posterior=tempered(temperatures))
            parts.append((wrong_until(classes, p, part.labels[at]).cpu(), p.cpu(), part.units[keep]))
        if not parts:
            raise DataError("no labelled pixel in the blocks of the split; calibrate or check on another one")
        return cls(
            torch.cat([until for until, _, _ in parts]).double().numpy(),
            torch.cat([p for _, p, _ in parts]),
            np.concatenate([units for _, _, units in parts]),
        )

    def row(self, asked: float, threshold: float) -> Row:
        """What a threshold means on these pixels."""
        weights, n = unit_shares(self.units)
        wrong = self.until > threshold
        _, at = np.unique(self.units, return_inverse=True)
        losses = np.bincount(at, weights * wrong * n, minlength=n)
        levels = (self.probabilities > threshold).sum(1)
        stops = levels.bincount(minlength=self.probabilities.shape[1] + 1).double() / len(levels)
        return Row(
            asked=asked,
            threshold=threshold,
            met=float(losses.mean()),
            error=float(losses.std(ddof=1) / np.sqrt(n)) if n > 1 else math.nan,
            depth=float(levels.double().mean()),
            stops=tuple(stops.tolist()),
        )
