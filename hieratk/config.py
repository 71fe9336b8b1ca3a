"""What a run file may say: typed, checked at once, every error at its line and column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hieratk.diagnostics import Problem, nearest, render
from hieratk.documents import Mapping as Entries
from hieratk.documents import Sequence as Items
from hieratk.documents import Source, Value, compose, locate
from hieratk.errors import ConfigError


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
    """

    steps: Annotated[int, Field(ge=1)] = 1000
    batch: Annotated[int, Field(ge=1)] = 8
    chip: Annotated[int, Field(ge=1)] = 128
    lr: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Annotated[int, Field(ge=0)] = 50
    final_lr: Annotated[float, Field(ge=0, le=1)] = 0.01
    clip: Annotated[float, Field(gt=0)] | None = 1.0
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

    alignment: NonNegative = 0.5
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


@dataclass(frozen=True, slots=True)
class RunFile:
    """A run, overrides applied, with the folder that its relative paths start from."""

    run: Run
    folder: Path

    def path(self, relative: str) -> Path:
        """A data path of the run file: relative ones start at `root`, and that at the run file's folder."""
        return (self.folder / self.run.root / relative).resolve()

    def taxonomy(self) -> str | Path:
        """The taxonomy as `hieratk.load` wants it: a path where the run file's folder holds one, else a name."""
        path = self.folder / self.run.taxonomy
        return path if path.suffix in (".yaml", ".yml") else self.run.taxonomy


def read_run(path: Path, overrides: Sequence[str] = ()) -> RunFile:
    """Read a run file and apply `key=value` overrides (dots reach into mappings: `schedule.steps=20`).

    Raises ConfigError with every problem at its place.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the run file {path}: {_reason(error)}") from None
    source = Source(str(path), text)
    value, problems = compose(source)
    if value is None or any(p.severity == "error" for p in problems):
        raise ConfigError(render(problems))
    content = _content(value)
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a run file is a mapping that begins with `taxonomy:`, not {type(content).__name__}")
    for override in overrides:
        _override(content, override)
    return RunFile(_check(content, source, value, overrides), path.parent)


def load_run(text: str, folder: Path) -> RunFile:
    """A run from the JSON that `dump_run` wrote, as a checkpoint keeps it."""
    return RunFile(Run.model_validate_json(text), folder)


def dump_run(run: Run) -> str:
    """The run as JSON, all defaults written out."""
    return json.dumps(run.model_dump(mode="json"), indent=1)


def _check(content: Mapping[str, Any], source: Source, value: Value, overrides: Sequence[str]) -> Run:
    try:
        return Run.model_validate(content)
    except ValidationError as error:
        problems, elsewhere = [], []
        for item in error.errors():
            message, help_ = _explain(item)
            path = tuple(part for part in item["loc"] if part not in ("blocks", "random", "table"))
            given = _lookup(_content(value), path)
            if item["type"] != "missing" and given is None and overrides and path:
                elsewhere.append(f"--set {'.'.join(map(str, path))}: {message}")
                continue
            extra = item["type"] == "extra_forbidden"
            span = locate(value, path, key=extra)
            problems.append(Problem("R001", "error", source, span, message, help=help_ or ""))
        raise ConfigError("\n".join([*elsewhere, *([render(problems)] if problems else [])])) from None


def _explain(item: Any) -> tuple[str, str | None]:
    """What a pydantic error means to the writer of the file, and the way out."""
    key = str(item["loc"][-1]) if item["loc"] else ""
    if item["type"] == "extra_forbidden":
        known = _keys_at(item["loc"][:-1])
        near = nearest(key, known)
        way_out = f"did you mean `{near[0]}`?" if near else f"the keys here are {', '.join(known)}" if known else None
        return f"unknown key `{key}`", way_out
    if item["type"] == "missing":
        return f"the key `{key}` is missing", None
    if item["type"] == "value_error":
        return str(item["ctx"]["error"]), None
    return f"`{key}`: {item['msg'][0].lower()}{item['msg'][1:]}", None


_SECTIONS: Mapping[str, type[BaseModel]] = {
    "scenes": SceneSpec,
    "blocks": BlockSplit,
    "random": RandomSplit,
    "table": TableSplit,
    "schedule": Schedule,
    "labels": Few,
    "transfer": Transfer,
    "augment": Augment,
    "predict": Windows,
}


def _keys_at(path: Sequence[str | int]) -> list[str]:
    names = [part for part in path if isinstance(part, str)]
    model = next((_SECTIONS[name] for name in reversed(names) if name in _SECTIONS), Run)
    return list(model.model_fields)


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {override!r}: write key=value, for instance --set schedule.steps=20")
    value, problems = compose(Source("--set", text)) if text else (None, [])
    if any(p.severity == "error" for p in problems):
        raise ConfigError(f"--set {override!r}: the value is not readable: {problems[0].message}")
    *parents, last = key.split(".")
    at = content
    for parent in parents:
        inner = at.get(parent, {})
        if parent not in at and at is content and parent in ("model", "loss"):
            inner = Run.model_fields[parent].default.name
        at[parent] = inner = {"name": inner} if isinstance(inner, str) else inner
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {override!r}: `{parent}` is a list; give the whole list, or edit the run file")
        at = inner
    at[last] = None if value is None else _content(value)


def _content(value: Value) -> Any:
    """Plain text, lists and mappings of a document; an unquoted null is None."""
    if isinstance(value, Entries):
        return {key.text: _content(item) for key, item in value.entries}
    if isinstance(value, Items):
        return [_content(item) for item in value.items]
    return None if not value.quoted and value.text in ("", "~", "null") else value.text


def _lookup(content: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return None
    return content


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


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return getattr(error, "strerror", None) or str(error)
