"""The plugins that a run file names, held against their signatures: each wrong name or option at its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hieratk.config import Run
from hieratk.config.schema import Plugin
from hieratk.diagnostics import Problem, render
from hieratk.documents import Mapping, Scalar, Source, Value, compose, locate
from hieratk.errors import ConfigError, HieratkError
from hieratk.losses import by_name
from hieratk.plugins import fit_options, load
from hieratk.protocols import Kind


def check_plugins(path: Path, run: Run) -> None:
    """Raise ConfigError with every plugin of a run that cannot be loaded and every option that one does not take.

    `path` is the file that the run was read from (`hieratk.config.read_run`). What `--set` has put there is named so,
    since it has no place. Plugins are imported, nothing is made and no data is read.
    """
    source = Source(str(path), path.read_text(encoding="utf-8"))
    document, _ = compose(source)
    assert isinstance(document, Mapping)
    problems, elsewhere = [], []
    named: dict[Kind, Plugin | None] = {
        "dataset": run.dataset,
        "model": run.model,
        "backbone": run.backbone,
        "loss": run.loss,
    }
    for kind, plugin in named.items():
        for option, message in _wrong(kind, plugin) if plugin else ():
            place = _place(document, kind, option)
            if place is None:
                elsewhere.append(f"--set {kind}{f'.{option}' if option else ''}: {message}")
            else:
                span = locate(document, place, key=bool(option))
                problems.append(Problem("R002", "error", source, span, message))
    if problems or elsewhere:
        raise ConfigError("\n".join([*elsewhere, *([render(problems)] if problems else [])]))


def _wrong(kind: Kind, plugin: Plugin) -> Iterator[tuple[str, str]]:
    """What is wrong with a plugin: the option, or nothing where it is the plugin itself; and what to say."""
    try:
        factory = by_name(plugin.name) if kind == "loss" else load(kind, plugin.name)
    except HieratkError as error:
        yield "", str(error)
        return
    for option, message in fit_options(factory, plugin.options)[1]:
        yield option if option in plugin.options else "", f"{kind} '{plugin.name}': {message}"


def _place(document: Mapping, kind: Kind, option: str) -> tuple[str, ...] | None:
    """The path to an option's key, or to a plugin's name; None where the file does not have it."""
    value = _entries(document).get(kind)
    if isinstance(value, Mapping):
        key = option or "name"
        return (kind, key) if key in _entries(value) else None
    return None if option or not isinstance(value, Scalar) else (kind,)


def _entries(mapping: Mapping) -> dict[str, Value]:
    return {key.text: value for key, value in mapping.entries}
