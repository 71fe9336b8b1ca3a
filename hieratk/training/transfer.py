"""TransLU carried out: a trained source model, a plan and a run of the target become a model of the target's tree."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hieratk.checkpoints import Checkpoint, branches, open_checkpoint
from hieratk.config import RunFile, Transfer
from hieratk.data.augment import Augmentation, augment
from hieratk.data.cells import Cells, cell_edges
from hieratk.data.chips import ChipSampler, batches
from hieratk.data.scenes import SceneReader
from hieratk.data.split import TRAIN, Split
from hieratk.data.survey import Survey
from hieratk.documents.writing import write_text
from hieratk.errors import CheckpointError, ConfigError, TransferError
from hieratk.models import HierarchicalModel
from hieratk.taxonomy.tables import compile_tables
from hieratk.tensors import TaxonomyTensors
from hieratk.training.course import LabelTerm
from hieratk.training.evaluate import Scores, evaluate_model
from hieratk.training.fit import Step, fit
from hieratk.training.setup import Prepared
from hieratk.transfer.document import dump as dump_plan
from hieratk.transfer.plan import TransferPlan
from hieratk.translu.alignment import Alignment
from hieratk.translu.expansion import expand_head, expansion
from hieratk.translu.network import DualBranch
from hieratk.translu.prototypes import PrototypeTerm

PLAN = "plan.yaml"
"""What a transfer was carried out by, kept in the folder of its checkpoint."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a transfer did: scores on the test split before the first step (the expanded head alone) and after the last,
    and whether the source branch still answers as it did, bit for bit."""

    folder: Path
    before: Scores
    after: Scores
    source_unchanged: bool

    def to_json(self) -> str:
        """As JSON."""
        content = asdict(self) | {"folder": str(self.folder)}
        content["before"], content["after"] = json.loads(self.before.to_json()), json.loads(self.after.to_json())
        return json.dumps(content, indent=1)


def prepared_run(run: RunFile, source: Checkpoint) -> RunFile:
    """The run with what it leaves open taken from the source: model and backbone, and a section `transfer`."""
    stated = run.run.model_fields_set
    changes: dict[str, object] = {}
    if "model" not in stated:
        changes["model"] = source.run.run.model
        if "backbone" not in stated:
            changes["backbone"] = source.run.run.backbone
    if run.run.transfer is None:
        changes["transfer"] = Transfer()
    return RunFile(run.run.model_copy(update=changes), run.folder)


def carry_out(
    plan: TransferPlan,
    source: Checkpoint,
    prepared: Prepared,
    folder: Path,
    *,
    resume: bool = False,
    device: str | torch.device = "cpu",
    on_step: Callable[[Step], None] | None = None,
) -> Carried:
    """Train the target of a plan from a source checkpoint and write its checkpoint, with the source's inside, to
    `folder`, the plan, and `report.json` with scores by class before and after.

    Raises TransferError, CheckpointError, ConfigError or DataError before any training starts where plan, checkpoint,
    trees, bands and labels do not go together.
    """
    plan.check(source.taxonomy, prepared.taxonomy)
    prepared.survey.require("test")
    _check_begun(plan, source, folder, resume=resume)
    course = Transferring(plan, source, prepared)
    start = course.model().to(device)
    image = _probe(start, device)
    was = start.source_logits(image)
    before = evaluate_model(start, prepared, split="test", device=device)
    if not (folder / "checkpoint.json").exists():
        keep_source(source, folder / "source")
        write_text(folder / PLAN, dump_plan(plan), error=TransferError)
    fit(prepared, folder, resume=resume, device=device, on_step=on_step, course=course)
    model = open_checkpoint(folder).model().to(device)
    assert isinstance(model, DualBranch)
    after = evaluate_model(model, prepared, split="test", device=device)
    done = Carried(folder, before, after, torch.equal(was, model.source_logits(image)))
    write_text(folder / "report.json", done.to_json(), error=TransferError)
    return done


def _check_begun(plan: TransferPlan, source: Checkpoint, folder: Path, *, resume: bool) -> None:
    """Raise where the folder holds a checkpoint that this transfer would not go on from."""
    if not (folder / "checkpoint.json").exists():
        return
    if not resume:
        raise CheckpointError(f"{folder} holds a checkpoint already; go on with --resume, or choose another folder")
    begun = open_checkpoint(folder)
    if not begun.transferred:
        raise CheckpointError(f"{folder} holds a checkpoint that is no transfer; choose another folder")
    if begun.source().weights.read_bytes() != source.weights.read_bytes():
        raise TransferError(
            f"{folder} was begun from another source checkpoint than {source.folder}; resume with the same one "
            f"(a copy lies in {folder / 'source'}), or choose another folder"
        )
    if (folder / PLAN).read_text(encoding="utf-8") != dump_plan(plan):
        raise TransferError(
            f"{folder} was begun with another plan; resume with --plan {folder / PLAN}, or choose another folder"
        )


class Transferring:
    """The course of a transfer: labels where there are any, the plan's alignment everywhere else."""

    def __init__(self, plan: TransferPlan, source: Checkpoint, prepared: Prepared) -> None:
        if prepared.run.run.transfer is None:
            raise ConfigError("the run has no section `transfer`; `prepared_run` adds one")
        self.options = prepared.run.run.transfer
        self._plan, self._source, self._prepared = plan, source, prepared
        self._term = LabelTerm(prepared)
        self._align: Alignment | None = None
        self._pull: PrototypeTerm | None = None
        self._stream: Iterator[tuple[Tensor, Tensor]] | None = None
        self._readers: list[SceneReader] = []
        trees = TaxonomyTensors(source.taxonomy), TaxonomyTensors(prepared.taxonomy)
        if self.options.alignment:
            self._align = Alignment(
                plan,
                *trees,
                even=self.options.even,
                confidence=self.options.confidence,
                shuffle=self.options.shuffle,
                decoding=self._term.decoding,
                source_decoding=source.decoding,
            )
        self._means = source.prototypes().means if self.options.prototypes else None
        self._trees = trees

    def model(self) -> DualBranch:
        """The two branches, the target's head expanded by the plan. Drawn from torch's global generator only where the
        run gives the target a model of its own."""
        run, survey = self._prepared.run, self._prepared.survey
        model = branches(run, self._prepared.taxonomy, self._source, survey.band_names, survey.statistics)
        model.decoding = self._term.decoding
        old = model.source.head
        fits = old.classify.in_channels == model.net.channels
        if self.options.start == "plan" and fits:
            how = expansion(
                self._plan,
                compile_tables(self._source.taxonomy),
                compile_tables(self._prepared.taxonomy),
                along_paths=model.decoding == "path_sum",
            )
            model.head = expand_head(old, how, seed=run.run.seed)
        if self._means is not None:
            self._pull = PrototypeTerm(self._plan, self._means, *self._trees, channels=model.net.channels)
        return model

    def rates(self, model: HierarchicalModel) -> Iterator[tuple[nn.Parameter, float]]:
        assert isinstance(model, DualBranch)
        parts: list[nn.Module] = [model] if self.options.target == "train" else [model.head]
        if self.options.target == "head" and model.adapters is not None:
            parts.append(model.adapters)
        return ((p, 1.0) for part in parts for p in part.parameters() if p.requires_grad)

    def begin(self, model: HierarchicalModel, first_step: int) -> None:
        device = next(model.parameters()).device
        for part in (self._term, self._align, self._pull):
            if part is not None:
                part.to(device)
        schedule = self._prepared.run.run.schedule
        if self.options.unlabelled and self._align is not None:
            sampler = ChipSampler(
                everywhere(self._prepared.survey, self._prepared.split),
                self._prepared.split,
                chip=schedule.chip,
                batch=self.options.unlabelled,
                seed=self._prepared.run.run.seed + 1,
            )
            self._readers = [SceneReader(scene, self._prepared.taxonomy) for scene in self._prepared.scenes]
            statistics = self._prepared.survey.statistics
            self._stream = batches(sampler, self._readers, statistics, first_step=first_step, last_step=schedule.steps)

    def loss(self, model: HierarchicalModel, images: Tensor, rows: Tensor, step: int) -> Tensor:
        assert isinstance(model, DualBranch)
        if self.options.target == "head":
            model.net.eval()
        if self._stream is not None:
            more, _ = next(self._stream)
            none = torch.zeros(len(more), *more.shape[-2:], dtype=torch.int32)
            changes = Augmentation(**self._prepared.run.run.augment.model_dump())
            more, _ = augment(more, none, seed=2**40 + step, options=changes)
            # One batch, so that norms see labelled and other images together.
            images = torch.cat([images, more.to(images.device)]).contiguous(memory_format=torch.channels_last)
            rows = torch.cat([rows, rows.new_zeros(len(more), *rows.shape[1:])])
        padded = model.pad(images)
        height, width = images.shape[-2:]
        said: Tensor | None = None
        if self._align is None:
            features = model.decoded(padded)
        else:
            features, said = model.with_source(padded)
        logits = model.read(features, padded)[..., :height, :width]
        value: Tensor = self._term(logits, rows)
        labels = self._term.tree.labels(rows)
        if self._align is not None and said is not None:
            # A pixel without an observation is 0 in every band.
            where = (labels < 0).all(1) & (images != 0).any(1)
            climb = min(1.0, (step + 1) / max(self.options.ramp, 1))
            heard = self._align(logits, said[..., :height, :width], where)
            value = value + self.options.alignment * climb * heard
        if self._pull is not None:
            seen = F.interpolate(features, size=padded.shape[-2:], mode="bilinear", align_corners=False)
            value = value + self.options.prototypes * self._pull(seen[..., :height, :width], labels)
        return value

    def end(self) -> None:
        if self._stream is not None:
            self._stream.close()  # type: ignore[attr-defined]  # batches is a generator: closing ends its thread
        for reader in self._readers:
            reader.close()


def everywhere(survey: Survey, split: Split) -> Survey:
    """The survey with every cell of the training blocks in it, labelled or not, each counted by its pixels."""
    along, side = cell_edges(split.block)
    cells = []
    for table, grid in zip(split.blocks, survey.grids, strict=True):
        rows, cols = np.nonzero(np.kron(table == TRAIN, np.ones((along, along), bool)))
        top, left = rows // along * split.block + rows % along * side, cols // along * split.block + cols % along * side
        tall = np.minimum(np.minimum(top + side, (rows // along + 1) * split.block), grid.height) - top
        wide = np.minimum(np.minimum(left + side, (cols // along + 1) * split.block), grid.width) - left
        keep = (tall > 0) & (wide > 0)
        zeros = np.zeros(int(keep.sum()), np.int64)
        cells.append(Cells(rows[keep], cols[keep], zeros, (tall * wide)[keep]))
    return replace(survey, cells=tuple(cells))


def keep_source(source: Checkpoint, folder: Path) -> None:
    """Copy a checkpoint without its optimiser state, beside and renamed."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        content = json.loads((source.folder / "checkpoint.json").read_text(encoding="utf-8")) | {"state": None}
        (part / "checkpoint.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        for file in (source.folder / "taxonomy.yaml", source.weights, source.prototypes_file):
            if file is not None:
                shutil.copy2(file, part / file.name)
        if source.transferred:
            shutil.copytree(source.folder / "source", part / "source")
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
    except OSError as error:
        raise TransferError(f"cannot copy the source checkpoint {source.folder} to {folder}: {error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _probe(model: DualBranch, device: str | torch.device) -> Tensor:
    """A fixed image to ask the source branch before and after."""
    random = torch.Generator().manual_seed(0)
    return torch.randn(1, model.in_channels, 64, 64, generator=random).to(device)
