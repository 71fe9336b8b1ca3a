"""A checkpoint: a folder of safetensors, JSON and the tree's YAML; nothing in it is ever executed.

Layout of a folder:

    checkpoint.json              format, step, tree fingerprint, input bands and statistics, run, versions, file names
    weights-<step>.safetensors   parameters and buffers of the model
    state-<step>.safetensors     optimiser state, only where training may go on
    prototypes-<step>.safetensors  mean features of every class, once training is complete
    taxonomy.yaml                the tree itself, complete
    source/                      after a transfer: the checkpoint of the frozen source branch

`checkpoint.json` is renamed into place last and names the files it belongs to, so a process that dies while writing
leaves the checkpoint of before.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import hieratk
from hieratk.config import RunFile, dump_run, load_run
from hieratk.data.survey import Statistics
from hieratk.decoding import Calibration
from hieratk.errors import CheckpointError, HieratkError
from hieratk.heads import NodeHead
from hieratk.models import HierarchicalModel, build
from hieratk.taxonomy.catalog import load as load_taxonomy
from hieratk.taxonomy.dump import dump as dump_taxonomy
from hieratk.taxonomy.tree import Taxonomy
from hieratk.translu.bands import source_view
from hieratk.translu.network import DualBranch, dual_branch

FORMAT = 1
"""Of checkpoint.json; a reader refuses a newer one."""


@dataclass(frozen=True, slots=True, eq=False)
class Prototypes:
    """Mean decoder features (M, C) float32 of the M predicted classes, and the pixels behind each (M,) int64."""

    means: Tensor
    pixels: Tensor


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a folder holds, the weights not yet read."""

    folder: Path
    taxonomy: Taxonomy
    run: RunFile
    step: int
    bands: tuple[int, ...]
    statistics: Statistics
    versions: Mapping[str, str]
    weights: Path
    state: Path | None
    band_names: tuple[str, ...]
    prototypes_file: Path | None
    decoding: str
    calibration: Calibration | None = None

    @property
    def transferred(self) -> bool:
        """Whether the model has a frozen source branch, whose own checkpoint is `source()`."""
        return self.run.run.transfer is not None

    def source(self) -> Checkpoint:
        """The checkpoint of the source branch. Raises CheckpointError where there is none."""
        if not self.transferred:
            raise CheckpointError(f"{self.folder} was trained on its own, without a source branch")
        return open_checkpoint(self.folder / "source")

    def of_tree(self, id_: str) -> Checkpoint:
        """This checkpoint, or the one of a source branch, by the id of its tree. Raises CheckpointError otherwise."""
        known, found = [], self
        while True:
            known.append(found.taxonomy.id)
            if found.taxonomy.id == id_:
                return found
            if not found.transferred:
                raise CheckpointError(f"{self.folder} predicts {' and '.join(known)}, not `{id_}`")
            found = found.source()

    def prototypes(self) -> Prototypes:
        """Mean features by class. Raises CheckpointError where none are stored."""
        if self.prototypes_file is None or not self.prototypes_file.is_file():
            raise CheckpointError(
                f"{self.folder} holds no prototypes (its training was not completed, or an older hieratk wrote it); "
                "train it to its end, or set `transfer.prototypes: 0`"
            )
        tensors = _tensors(self.prototypes_file)
        return Prototypes(tensors["means"], tensors["pixels"])

    def model(self) -> HierarchicalModel:
        """The model with its weights, in evaluation mode, on the CPU.

        Raises CheckpointError where weights and model do not fit, PluginError where a plugin is missing.
        """
        model: HierarchicalModel
        if self.transferred:
            model = branches(self.run, self.taxonomy, self.source(), self.band_names, self.statistics)
        else:
            model = build_model(self.run, self.taxonomy, in_channels=len(self.bands))
        weights = _tensors(self.weights)
        wrong = _mismatch(model.state_dict(), weights)
        if wrong:
            raise CheckpointError(
                f"{self.weights} does not fit the model `{self.run.run.model.name}` that its run builds: {wrong}; "
                "was a plugin updated since? versions then: "
                + ", ".join(f"{name} {version}" for name, version in self.versions.items())
            )
        model.load_state_dict(weights)
        model.decoding = self.decoding
        return model.eval()

    def require(self, taxonomy: Taxonomy) -> None:
        """Raise CheckpointError, with the difference, unless a taxonomy is the checkpoint's own."""
        if taxonomy.fingerprint != self.taxonomy.fingerprint:
            raise CheckpointError(
                f"the checkpoint {self.folder} was trained for `{self.taxonomy.id}` {self.taxonomy.version} "
                f"and not for `{taxonomy.id}` {taxonomy.version}: {self.taxonomy.difference(taxonomy)}; "
                "train anew, or leave the taxonomy out to use the checkpoint's"
            )


def build_model(run: RunFile, taxonomy: Taxonomy, *, in_channels: int) -> HierarchicalModel:
    """The untrained model that a run describes."""
    backbone = run.run.backbone
    return build(
        run.run.model.name,
        taxonomy,
        in_channels=in_channels,
        backbone=backbone.name if backbone else None,
        options=run.run.model.options,
        backbone_options=backbone.options if backbone else None,
    )


def branches(
    run: RunFile, taxonomy: Taxonomy, source: Checkpoint, band_names: tuple[str, ...], statistics: Statistics
) -> DualBranch:
    """The dual-branch model that a run with a section `transfer` describes, beside its source; head rows random."""
    options = run.run.transfer
    assert options is not None
    view = source_view(
        source.band_names,
        (source.statistics.mean, source.statistics.std),
        band_names,
        (statistics.mean, statistics.std),
        bands=options.bands,
        statistics=options.statistics,
    )
    frozen = source.model()
    same = (run.run.model, run.run.backbone) == (source.run.run.model, source.run.run.backbone)
    target = None if same else build_model(run, taxonomy, in_channels=len(band_names))
    channels = frozen.net.channels if target is None else target.net.channels
    head = NodeHead(channels, taxonomy, dropout=frozen.head.dropout.p)
    return dual_branch(
        frozen, taxonomy, head, target=target, in_channels=len(band_names), view=view, sharing=options.sharing
    )


def save(
    folder: Path,
    *,
    model: HierarchicalModel,
    optimizer: torch.optim.Optimizer | None,
    taxonomy: Taxonomy,
    run: RunFile,
    step: int,
    bands: tuple[int, ...],
    statistics: Statistics,
    band_names: tuple[str, ...],
    prototypes: Prototypes | None = None,
) -> None:
    """Write a checkpoint over the one before. Raises CheckpointError where the folder cannot be written."""
    weights, state = f"weights-{step:07d}.safetensors", f"state-{step:07d}.safetensors" if optimizer else None
    means = f"prototypes-{step:07d}.safetensors" if prototypes is not None else None
    content = {
        "format": FORMAT,
        "step": step,
        "taxonomy": {"id": taxonomy.id, "version": taxonomy.version, "fingerprint": taxonomy.fingerprint},
        "bands": bands,
        "band_names": band_names,
        "statistics": statistics.to_json(),
        "run": json.loads(dump_run(run.run)),
        "folder": str(run.folder.resolve()),
        "versions": {
            "hieratk": hieratk.__version__,
            "torch": str(torch.__version__),
            "safetensors": safetensors.__version__,
            "python": platform.python_version(),
        },
        "weights": weights,
        "state": state,
        "prototypes": means,
        "decoding": model.decoding,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _save_tensors(
            folder / weights, {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
        )
        if optimizer is not None and state is not None:
            _save_tensors(folder / state, _flatten(optimizer))
        if prototypes is not None and means is not None:
            _save_tensors(folder / means, {"means": prototypes.means, "pixels": prototypes.pixels})
        _replace(folder / "taxonomy.yaml", dump_taxonomy(taxonomy))
        _replace(folder / "checkpoint.json", json.dumps(content, indent=1))
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"cannot write the checkpoint {folder}: {error}; the one before is still whole") from None
    for old in folder.glob("*-*.safetensors"):
        if old.name not in (weights, state, means):
            old.unlink(missing_ok=True)


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint's description. Raises CheckpointError naming what is missing or wrong."""
    path = folder / "checkpoint.json"
    if not path.is_file():
        what = "is not there" if not folder.exists() else "holds no checkpoint.json"
        raise CheckpointError(f"{folder} {what}; give the folder that `hieratk train -o` wrote")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] > FORMAT:
            raise CheckpointError(
                f"{path} has format {content['format']}, this hieratk reads up to {FORMAT}; update hieratk"
            )
        taxonomy = load_taxonomy(folder / "taxonomy.yaml")
        run = load_run(json.dumps(content["run"]), Path(content["folder"]))
        checkpoint = Checkpoint(
            folder=folder,
            taxonomy=taxonomy,
            run=run,
            step=content["step"],
            bands=tuple(content["bands"]),
            statistics=Statistics.from_json(content["statistics"]),
            versions=content["versions"],
            weights=folder / content["weights"],
            state=folder / content["state"] if content["state"] else None,
            band_names=tuple(content.get("band_names") or (f"band {band}" for band in content["bands"])),
            prototypes_file=folder / content["prototypes"] if content.get("prototypes") else None,
            decoding=content.get("decoding", "best_path"),
            calibration=Calibration.from_json(content["calibration"]) if content.get("calibration") else None,
        )
        written = content["taxonomy"]["fingerprint"]
    except HieratkError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} cannot be read: {type(error).__name__}: {error}") from None
    if taxonomy.fingerprint != written:
        raise CheckpointError(
            f"{folder / 'taxonomy.yaml'} is not the tree that {path} was written with (fingerprint "
            f"{taxonomy.fingerprint[:12]}, not {written[:12]}); put the original file back"
        )
    if not checkpoint.weights.is_file():
        raise CheckpointError(f"{checkpoint.weights} is missing, though {path} names it")
    return checkpoint


def store_calibration(folder: Path, calibration: Calibration) -> None:
    """Put a calibration into a checkpoint. Training on writes a new checkpoint without one, as the weights are others.

    Raises CheckpointError where there is no whole checkpoint, or it cannot be written.
    """
    open_checkpoint(folder)
    path = folder / "checkpoint.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        _replace(path, json.dumps({**content, "calibration": calibration.to_json()}, indent=1))
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {error}; the checkpoint is as it was") from None


def restore(checkpoint: Checkpoint, model: HierarchicalModel, optimizer: torch.optim.Optimizer) -> None:
    """Put weights and optimiser state back, bit for bit. Raises CheckpointError where the state is gone."""
    if checkpoint.state is None or not checkpoint.state.is_file():
        raise CheckpointError(f"{checkpoint.folder} holds no optimiser state; training cannot go on from it")
    model.load_state_dict(_tensors(checkpoint.weights))
    stored = _tensors(checkpoint.state)
    described = optimizer.state_dict()
    described["state"] = {
        index: {key.split(".", 1)[1]: tensor for key, tensor in stored.items() if key.split(".", 1)[0] == str(index)}
        for index in sorted({int(key.split(".", 1)[0]) for key in stored})
    }
    optimizer.load_state_dict(described)


def _flatten(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {
        f"{index}.{key}": tensor.cpu().contiguous() for index, slots in state.items() for key, tensor in slots.items()
    }


def _mismatch(model: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> str:
    missing = [name for name in model if name not in weights]
    extra = [name for name in weights if name not in model]
    shapes = [name for name in model if name in weights and model[name].shape != weights[name].shape]
    if shapes:
        name = shapes[0]
        return f"`{name}` has shape {tuple(weights[name].shape)}, the model wants {tuple(model[name].shape)}"
    if missing or extra:
        parts = [f"{len(missing)} weights missing ({missing[0]})"] if missing else []
        parts += [f"{len(extra)} unknown ({extra[0]})"] if extra else []
        return ", ".join(parts)
    return ""


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}; is the copy complete?") from None


def _save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        save_file(tensors, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
