"""Predicting one scene: a stream of windows from a raster through a model into a raster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import hieratk
from hieratk.checkpoints import Checkpoint, open_checkpoint
from hieratk.data.chips import normalise
from hieratk.data.scenes import Scene, SceneReader
from hieratk.data.survey import Statistics
from hieratk.decoding import Calibration, decoder
from hieratk.errors import CheckpointError, ConfigError, DataError
from hieratk.models import HierarchicalModel
from hieratk.prediction.legend import legend
from hieratk.prediction.undecided import tags as risk_tags
from hieratk.prediction.undecided import with_undecided
from hieratk.prediction.windows import Piece, pieces
from hieratk.rasters import create
from hieratk.tensors import TaxonomyTensors

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class MapSummary:
    """What was written: pixels with an observation, and pixels without any; of the first how many have a class in each
    band, and the risk that was kept by leaving the others open (None where every level was decided)."""

    path: Path
    predicted: int
    nodata: int
    decided: tuple[int, ...] = ()
    risk: float | None = None


def predict(
    checkpoint: Path | str,
    image: Path | str,
    output: Path | str,
    *,
    window: int = 512,
    overlap: int = 64,
    batch: int = 1,
    device: str | torch.device = "cpu",
    risk: float | None = None,
    progress: Progress | None = None,
) -> MapSummary:
    """Write the map of a scene as a GeoTIFF, one band a level, classes of one tree path at every pixel.

    Pixel values are the tree's own (see `hieratk.prediction.legend`); pixels without an observation in any band get the
    map's nodata value. Georeference is carried through; a scene without one gives a map without one. Memory holds a few
    windows, whatever the size of the scene. The file gets its name only when it is complete.

    Where the checkpoint is calibrated, a level whose class would be wrong too often is left open: it gets the value
    "not decided" (`hieratk.prediction.undecided`). `risk` takes the place of the calibrated risk; 1 decides everything.

    Raises CheckpointError, RasterError, DataError; see docs/geotiff.md.
    """
    opened = open_checkpoint(Path(checkpoint))
    scene = scene_for(opened, Path(image))
    model = opened.model().to(device)
    tree = TaxonomyTensors(opened.taxonomy).to(device)
    calibration, risk = _calibration(opened, risk)
    written = legend(opened.taxonomy)
    decode = decoder(model.decoding) if calibration is None else partial(calibration.decode, risk=risk)
    said: dict[str, str] = {}
    if calibration is not None and risk is not None:
        written = with_undecided(written, opened.taxonomy)
        said = risk_tags(calibration.threshold(risk), risk, calibration.temperatures)
    values = [torch.as_tensor(band.values, device=device) for band in written.bands]
    predicted = nodata = 0
    decided = np.zeros(len(values), np.int64)
    with SceneReader(scene, opened.taxonomy) as reader:
        grid = reader.grid
        todo = list(pieces(grid.height, grid.width, size=window, overlap=overlap))
        with create(
            Path(output),
            grid,
            count=len(written.bands),
            dtype=written.dtype,
            nodata=written.nodata,
            names=tuple(band.level for band in written.bands),
            tags={
                "HIERATK_VERSION": hieratk.__version__,
                "HIERATK_TAXONOMY": f"{opened.taxonomy.id} {opened.taxonomy.version}",
                "HIERATK_FINGERPRINT": opened.taxonomy.fingerprint,
                **said,
            },
            band_tags=tuple({"HIERATK_LEVEL": band.level, "HIERATK_CLASSES": band.tag()} for band in written.bands),
            legends=tuple(band.entries() for band in written.bands),
        ) as sink:
            done = 0
            for group, logits, valids in stream(
                reader, model, todo, statistics=opened.statistics, batch=batch, device=device
            ):
                if logits is not None:
                    classes = decode(logits, tree)
                    known = (classes >= 0).cpu().numpy()
                    codes = torch.stack([table[classes[:, i]] for i, table in enumerate(values)], 1).cpu().numpy()
                for i, piece in enumerate(group):
                    inner = _inside(piece)
                    valid = valids[i][inner]
                    if logits is None:
                        block = np.full((len(values), *valid.shape), written.nodata, written.dtype)
                    else:
                        block = np.where(valid, codes[i][:, *inner], written.nodata).astype(written.dtype)
                        decided += (valid & known[i][:, *inner]).sum((1, 2))
                    sink.write(block, piece.keep)
                    predicted += int(valid.sum())
                    nodata += int(valid.size - valid.sum())
                done += len(group)
                if progress is not None:
                    progress(done, len(todo))
            if predicted == 0:
                raise DataError(
                    f"{image} holds no valid pixel: all are nodata or not finite; is its nodata value right?"
                )
    return MapSummary(Path(output), predicted, nodata, tuple(decided.tolist()), risk)


def _calibration(checkpoint: Checkpoint, risk: float | None) -> tuple[Calibration | None, float | None]:
    """The calibration to decide by and the risk to keep; both None where every level is to be decided."""
    if risk is not None and not 0 < risk <= 1:
        raise ConfigError(f"risk {risk:g} must be above 0 and at most 1; 1 decides every level")
    found = checkpoint.calibration
    if risk == 1 or (found is None and risk is None):
        return None, None
    if found is None:
        raise CheckpointError(
            f"{checkpoint.folder} is not calibrated, so no risk can be kept; run "
            f"`hieratk calibrate {checkpoint.folder} --risk {risk:g}` first"
        )
    return found, found.risk if risk is None else risk


def scene_for(checkpoint: Checkpoint, image: Path) -> Scene:
    """The scene to predict, read as the first scene of training was: same bands, scale and offset."""
    specs = checkpoint.run.run.scenes
    scale, offset, nodata = (specs[0].scale, specs[0].offset, specs[0].nodata) if specs else (1.0, 0.0, None)
    return Scene(image, bands=checkpoint.bands, scale=scale, offset=offset, nodata=nodata)


def stream(
    reader: SceneReader,
    model: HierarchicalModel,
    todo: list[Piece],
    *,
    statistics: Statistics,
    batch: int,
    device: str | torch.device,
) -> Iterator[tuple[list[Piece], Tensor | None, list[np.ndarray]]]:
    """Node logits (B, N, H, W) of groups of windows with the windows' valid pixels (H, W).

    Windows without any valid pixel are not computed: they come with None for the logits.
    """
    group: list[Piece] = []
    images: list[np.ndarray] = []
    valids: list[np.ndarray] = []

    def run() -> tuple[list[Piece], Tensor, list[np.ndarray]]:
        with torch.inference_mode():
            stacked = torch.from_numpy(np.stack(images)).to(device, memory_format=torch.channels_last)
            result = (list(group), model(stacked), list(valids))
        group.clear()
        images.clear()
        valids.clear()
        return result

    for piece in todo:
        image, valid = reader.image(piece.read)
        if not valid.any():
            yield [piece], None, [valid]
            continue
        group.append(piece)
        images.append(normalise(image, valid, statistics))
        valids.append(valid)
        if len(group) == batch:
            yield run()
    if group:
        yield run()


def _inside(piece: Piece) -> tuple[slice, slice]:
    row, column = piece.keep.row - piece.read.row, piece.keep.col - piece.read.col
    return slice(row, row + piece.keep.height), slice(column, column + piece.keep.width)
