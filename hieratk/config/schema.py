"""The keys of a run file, their types and defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Strict(BaseModel):
    """No unknown key, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Plugin(BaseModel):
    """A plugin by name with its own options: `unet`, or `{name: unet, widths: [16, 32]}`."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @property
    def options(self) -> dict[str, Any]:
        """What was written beside the name, as numbers, truth values, lists and text."""
        return {key: _typed(value) for key, value in (self.model_extra or {}).items()}


def _by_name(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


Named = Annotated[Plugin, BeforeValidator(_by_name)]


class SceneSpec(Strict):
    """One image and, for training and scoring, its labels. Paths are relative to `root`."""

    image: str
    label: str | None = None
    encoding: str = "default"
    bands: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    nodata: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    name: str | None = None


class BlockSplit(Strict):
    """Square blocks in a fixed pattern: fold = (a * row + b * column) mod folds."""

    kind: Literal["blocks"] = "blocks"
    block: Annotated[int, Field(ge=1)]
    folds: Annotated[int, Field(ge=2)] = 5
    a: int = 7
    b: int = 3
    test: tuple[int, ...] = (0,)
    val: tuple[int, ...] = (1,)

    @model_validator(mode="after")
    def _folds_exist(self) -> BlockSplit:
        wrong = [fold for fold in (*self.test, *self.val) if not 0 <= fold < self.folds]
        if wrong:
            raise ValueError(
                f"fold {wrong[0]} does not exist: with `folds: {self.folds}` they are 0 to {self.folds - 1}"
            )
        both = sorted(set(self.test) & set(self.val))
        if both:
            raise ValueError(f"fold {both[0]} is both test and val")
        return self


class RandomSplit(Strict):
    """Square blocks dealt out by seed; `stratify` sees to it that every class is in the training split where it can."""

    kind: Literal["random"]
    block: Annotated[int, Field(ge=1)]
    test: Annotated[float, Field(ge=0, lt=1)] = 0.2
    val: Annotated[float, Field(ge=0, lt=1)] = 0.1
    seed: int = 0
    stratify: bool = True


class TableSplit(Strict):
    """Tiles named in a CSV file with the columns row, col and split."""

    kind: Literal["table"]
    table: str
    tile: Annotated[int, Field(ge=1)]


Split = Annotated[BlockSplit | RandomSplit | TableSplit, Field(discriminator="kind")]


def _split_kind(value: object) -> object:
    return {"kind": "blocks", **value} if isinstance(value, dict) and "kind" not in value else value


NonNegative = Annotated[float, Field(ge=0)]


class Schedule(Strict):
    """How long and how fast. Lengths count optimiser steps, sizes pixels.

    The learning rate climbs linearly over `warmup` steps and then falls along a half cosine to `final_lr` times `lr`.
    `precision` is that of the network's convolutions and matrix products in training (torch's autocast); weights,
    optimiser state, losses and prediction stay in float32.
    """

    steps: Annotated[int, Field(ge=1)] = 1000
    batch: Annotated[int, Field(ge=1)] = 8
    chip: Annotated[int, Field(ge=1)] = 128
    lr: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Annotated[int, Field(ge=0)] = 50
    final_lr: Annotated[float, Field(ge=0, le=1)] = 0.01
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    precision: Literal["float32", "bfloat16"] = "float32"
    balance: Annotated[float, Field(ge=0, le=1)] = 0.0
    logit_adjustment: NonNegative | tuple[NonNegative, ...] = 0.0
    validate_every: Annotated[int, Field(ge=0)] = 0
    save_every: Annotated[int, Field(ge=1)] = 200


class Few(Strict):
    """Labels that training may see: `points` pixels of each class, or `blocks` whole training blocks, drawn by seed."""

    points: Annotated[int, Field(ge=1)] | None = None
    blocks: Annotated[int, Field(ge=1)] | None = None
    seed: int = 0

    @model_validator(mode="after")
    def _one_way(self) -> Few:
        if (self.points is None) == (self.blocks is None):
            raise ValueError("give either `points` (pixels of each class) or `blocks` (training blocks)")
        return self


class Transfer(Strict):
    """How a model is moved to the run's taxonomy; see docs/transfer.md. Weights of 0 switch a term off.

    `alignment` (CDSA) and `prototypes` weigh their terms against the loss; `alignment` climbs over `ramp` steps.
    `even` and `confidence` are those of `hieratk.translu.alignment.Alignment`; `shuffle` is its negative control, which
    hears wrong source classes. `sharing` puts CDKS adapters between the branches. `target` is what is trained of the
    target branch: `train` all of it, `head` its head and adapters. `start` is where head rows begin. `unlabelled` is
    the number of chips a step that bring no labels. `bands` and `statistics`: see `hieratk.translu.bands`.
    """

    alignment: NonNegative = 1.0
    prototypes: NonNegative = 0.0
    sharing: bool = True
    target: Literal["train", "head"] = "train"
    ramp: Annotated[int, Field(ge=0)] = 100
    unlabelled: Annotated[int, Field(ge=0)] = 4
    even: bool = True
    confidence: NonNegative = 0.0
    start: Literal["plan", "random"] = "plan"
    bands: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    statistics: Literal["own", "source"] | None = None
    shuffle: bool = False


class Augment(Strict):
    """Random changes of a training batch; see `hieratk.data.augment.Augmentation` for units."""

    flip: bool = True
    rotate: bool = True
    gain: Annotated[float, Field(ge=0)] = 0.0
    brightness: Annotated[float, Field(ge=0)] = 0.0
    noise: Annotated[float, Field(ge=0)] = 0.0


class Windows(Strict):
    """Prediction windows in pixels; neighbours share `overlap` pixels, of which each keeps its own half."""

    window: Annotated[int, Field(ge=1)] = 512
    overlap: Annotated[int, Field(ge=0)] = 64
    batch: Annotated[int, Field(ge=1)] = 1


class Run(Strict):
    """A run file."""

    taxonomy: str
    root: str = "."
    scenes: Annotated[tuple[SceneSpec, ...], Field(min_length=1)] | None = None
    dataset: Named | None = None
    split: Annotated[Split, BeforeValidator(_split_kind)]
    model: Named = Plugin(name="unet")
    backbone: Named | None = None
    loss: Named = Plugin(name="bhccm")
    schedule: Schedule = Schedule()
    labels: Few | None = None
    transfer: Transfer | None = None
    augment: Augment = Augment()
    predict: Windows = Windows()
    seed: int = 0

    @model_validator(mode="after")
    def _one_source(self) -> Run:
        if (self.scenes is None) == (self.dataset is None):
            raise ValueError("give either `scenes` or `dataset`, not both and not neither")
        return self


def _typed(value: Any) -> Any:
    """Text from a run file as the number, truth value or list that it spells; what spells none stays text."""
    if isinstance(value, list):
        return [_typed(item) for item in value]
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    if value in ("true", "false"):
        return value == "true"
    if value in ("null", "none"):
        return None
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
