"""Scores of a model on one split of its scenes, predicted by the same windows as a map."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from hieratk.checkpoints import open_checkpoint
from hieratk.data.scenes import SceneReader
from hieratk.decoding import LEVELS, decoder, independent
from hieratk.metrics import LevelMetrics, LevelScores
from hieratk.models import HierarchicalModel
from hieratk.prediction.scene import stream
from hieratk.prediction.windows import Piece, pieces
from hieratk.tensors import TaxonomyTensors
from hieratk.training.setup import Prepared

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores by level name; `consistency` is the share of scored pixels whose levels form one root-to-leaf path, for
    the map's decoding (a path: always 1), `independent_consistency` for the most probable class of each level."""

    split: str
    levels: Mapping[str, LevelScores]
    consistency: float
    independent_consistency: float
    pixels: int

    def to_json(self) -> str:
        """As JSON; a score that does not exist (NaN) is null."""
        return json.dumps(_plain(asdict(self)), indent=1)


def evaluate(
    folder: Path, prepared: Prepared, *, split: str = "test", device: str = "cpu", progress: Progress | None = None
) -> Scores:
    """Scores of a checkpoint. Raises CheckpointError where the run's tree is not the checkpoint's, DataError where the
    split holds no labelled pixel."""
    checkpoint = open_checkpoint(folder)
    checkpoint.require(prepared.taxonomy)
    prepared.survey.require(split)
    return evaluate_model(checkpoint.model().to(device), prepared, split=split, device=device, progress=progress)


def evaluate_model(
    model: HierarchicalModel,
    prepared: Prepared,
    *,
    split: str,
    device: str | torch.device,
    progress: Progress | None = None,
) -> Scores:
    """Scores of a model, left in evaluation mode: only pixels of the split count, the network sees what lies around
    them.
    """
    model.eval()
    decode = decoder(model.decoding)
    tree = TaxonomyTensors(prepared.taxonomy).to(device)
    paths, free = LevelMetrics(prepared.taxonomy), LevelMetrics(prepared.taxonomy)
    windows = prepared.run.run.predict
    code = prepared.split.code(split)
    with ExitStack() as opened:
        readers = [opened.enter_context(SceneReader(scene, prepared.taxonomy)) for scene in prepared.scenes]
        todo = [
            [
                piece
                for piece in pieces(reader.grid.height, reader.grid.width, size=windows.window, overlap=windows.overlap)
                if (prepared.split.window(scene, piece.keep) == code).any()
            ]
            for scene, reader in enumerate(readers)
        ]
        total, done = sum(map(len, todo)), 0
        for scene, reader in enumerate(readers):
            for group, logits, valids in stream(
                reader,
                model,
                todo[scene],
                statistics=prepared.survey.statistics,
                batch=windows.batch,
                device=device,
            ):
                done += len(group)
                if progress is not None:
                    progress(done, total)
                if logits is None:
                    continue
                rows = np.stack(
                    [
                        _scored(reader, prepared, scene, piece, code, valid)
                        for piece, valid in zip(group, valids, strict=True)
                    ]
                )
                labels = tree.labels(torch.from_numpy(rows).to(device))
                paths.update(decode(logits, tree), labels)
                free.update(independent(logits, tree, levels=LEVELS[model.decoding]), labels)
    levels = paths.compute()
    return Scores(split, levels, paths.consistency(), free.consistency(), max(s.pixels for s in levels.values()))


def _scored(
    reader: SceneReader, prepared: Prepared, scene: int, piece: Piece, code: int, valid: np.ndarray
) -> np.ndarray:
    """Label rows of a window, void outside the split, outside the part that the window keeps, and on invalid pixels."""
    rows = np.zeros((piece.read.height, piece.read.width), np.int32)
    top, left = piece.keep.row - piece.read.row, piece.keep.col - piece.read.col
    inner = slice(top, top + piece.keep.height), slice(left, left + piece.keep.width)
    wanted = (prepared.split.window(scene, piece.keep) == code) & valid[inner]
    rows[inner] = np.where(wanted, reader.rows(piece.keep), 0)
    return rows


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value != value:
        return None
    return value
