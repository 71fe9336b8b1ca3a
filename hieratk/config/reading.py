"""A run file to a `Run`, every error at its line and column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from hieratk.config.schema import (
    Augment,
    BlockSplit,
    Few,
    RandomSplit,
    Run,
    SceneSpec,
    Schedule,
    TableSplit,
    Transfer,
    Windows,
)
from hieratk.diagnostics import Problem, nearest, render
from hieratk.documents import Mapping as Entries
from hieratk.documents import Sequence as Items
from hieratk.documents import Source, Value, compose, locate
from hieratk.errors import ConfigError


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


def read_run(path: str | Path, overrides: Sequence[str] = ()) -> RunFile:
    """Read a run file and apply `key=value` overrides (dots reach into mappings: `schedule.steps=20`).

    Raises ConfigError with every problem at its place.
    """
    path = Path(path)
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


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return getattr(error, "strerror", None) or str(error)
