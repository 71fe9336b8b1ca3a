"""What a training run teaches: the model it begins with and the loss of a step. The loop itself is in `fit`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor, nn

from hieratk.checkpoints import build_model
from hieratk.decoding import decoder
from hieratk.errors import ConfigError
from hieratk.losses import LabelSets, NodeLoss, by_name, decoding_of
from hieratk.models import HierarchicalModel
from hieratk.plugins import check_options
from hieratk.taxonomy.tables import compile_tables
from hieratk.tensors import TaxonomyTensors
from hieratk.training.priors import LogitAdjustment, log_priors
from hieratk.training.setup import Prepared


class Course(Protocol):
    """What `fit` asks, in this order: the model, its parameters with their rates, and for each step the loss.

    Everything a step draws at random follows from the seed and the step's number alone, so that a resumed run is the
    uninterrupted one.
    """

    def model(self) -> HierarchicalModel:
        """The model to begin with, drawn from torch's global generator."""
        ...

    def rates(self, model: HierarchicalModel) -> Iterator[tuple[nn.Parameter, float]]:
        """The parameters that are trained, each with its factor on the learning rate."""
        ...

    def begin(self, model: HierarchicalModel, first_step: int) -> None:
        """Called once before the first step, the model on its device and its weights in place."""
        ...

    def loss(self, model: HierarchicalModel, images: Tensor, rows: Tensor, step: int) -> Tensor:
        """The loss of a step for images (B, C, H, W) and label rows (B, H, W)."""
        ...

    def end(self) -> None:
        """Called once after the last step, whatever happened."""
        ...


class Supervised:
    """The run's model on the run's loss."""

    def __init__(self, prepared: Prepared) -> None:
        run = prepared.run.run
        if run.transfer is not None:
            raise ConfigError(
                "the run file has a section `transfer`, which needs a source checkpoint; "
                "use `hieratk transfer --checkpoint SOURCE --config RUN.yaml`, or remove the section"
            )
        self._prepared = prepared
        self.term = LabelTerm(prepared)

    def model(self) -> HierarchicalModel:
        model = build_model(self._prepared.run, self._prepared.taxonomy, in_channels=len(self._prepared.bands))
        model.decoding = self.term.decoding
        return model

    def rates(self, model: HierarchicalModel) -> Iterator[tuple[nn.Parameter, float]]:
        return ((p, 1.0) for p in model.parameters() if p.requires_grad)

    def begin(self, model: HierarchicalModel, first_step: int) -> None:  # noqa: ARG002 - part of the protocol
        self.term.to(next(model.parameters()).device)

    def loss(self, model: HierarchicalModel, images: Tensor, rows: Tensor, step: int) -> Tensor:  # noqa: ARG002
        value: Tensor = self.term(model(images), rows)
        return value

    def end(self) -> None:
        pass


class LabelTerm(nn.Module):
    """The run's loss on its labels: node logits (B, N, H, W) and label rows (B, H, W) -> scalar.

    Our own losses also hear rows that name no class at any level but allow some leaves (mixtures, with their shares);
    to a stranger's loss these are void.
    """

    def __init__(self, prepared: Prepared) -> None:
        super().__init__()
        run = prepared.run.run
        loss_class = by_name(run.loss.name)
        options = check_options(loss_class, run.loss.options, plugin=f"loss '{run.loss.name}'")
        self.loss = loss_class(prepared.taxonomy, **options)
        self.decoding = decoding_of(run.loss.name)
        decoder(self.decoding)  # a stranger's loss may name one that there is not: better said before training
        self.tree = TaxonomyTensors(prepared.taxonomy)
        self.sets = LabelSets(prepared.taxonomy) if isinstance(self.loss, NodeLoss) else None
        tables = compile_tables(prepared.taxonomy)
        self.adjusted = LogitAdjustment(
            # Along a path the logits add up, and so must the priors.
            log_priors(prepared.labelled.survey, tables, given_parent=self.decoding == "path_sum"),
            tables,
            tau=run.schedule.logit_adjustment,
        )

    def forward(self, logits: Tensor, rows: Tensor) -> Tensor:
        labels = self.tree.labels(rows) if self.sets is None else self.sets(rows)
        value: Tensor = self.loss(self.adjusted(logits), labels)
        return value
