"""Plugins: found in the metadata of installed distributions, imported only when one is used.

A broken plugin is an error where it is named and nowhere else. Importing this module loads no torch.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from hieratk.diagnostics import nearest
from hieratk.errors import PluginError
from hieratk.protocols import API, GROUPS, Kind

SUBJECTS = frozenset({"in_channels", "backbone", "folder"})
"""Parameters of a factory that are given by the caller, not by an option."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point. `value` is its `module:attribute`; `rivals` are other distributions that claim the same name."""

    name: str
    kind: Kind
    distribution: str
    version: str
    value: str
    rivals: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}' of {self.distribution} {self.version}"


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a factory. `annotation` is how the signature writes it; `required` where there is no default."""

    name: str
    annotation: str
    default: Any
    required: bool


def available(kind: Kind) -> dict[str, Plugin]:
    """The plugins of a kind by name, in alphabetical order, from metadata only: nothing is imported."""
    found: dict[str, list[Plugin]] = {}
    # entry_points() already leaves out a distribution that an earlier one of the same name on sys.path hides.
    for entry in metadata.entry_points(group=GROUPS[kind]):
        # An uninstallation that was broken off leaves entry points without METADATA: then there is neither.
        distribution = (entry.dist and entry.dist.name) or "an unknown distribution"
        version = (entry.dist and entry.dist.version) or "?"
        found.setdefault(entry.name, []).append(Plugin(entry.name, kind, distribution, version, entry.value))
    plugins = {}
    for name in sorted(found):
        first, *others = sorted(found[name], key=lambda plugin: plugin.distribution)
        rivals = tuple(other.distribution for other in others)
        plugins[name] = Plugin(name, kind, first.distribution, first.version, first.value, rivals)
    return plugins


def find(kinds: Sequence[Kind], name: str) -> Plugin:
    """The plugin of that name in the first kind that has it; PluginError with the nearest names where none has."""
    candidates: list[str] = []
    for kind in kinds:
        plugins = available(kind)
        if name in plugins:
            return plugins[name]
        candidates += plugins
    noun = kinds[0] if len(kinds) == 1 else "plugin"
    raise PluginError(_unknown(f"no {noun} '{name}'", name, candidates, f"{noun}s"))


def missing_module(plugin: Plugin) -> str | None:
    """The top-level module of a plugin where it is not there; found without importing it."""
    module = plugin.value.partition(":")[0].partition(".")[0]
    return None if module in sys.modules or importlib.util.find_spec(module) else module


def load(kind: Kind, name: str) -> Callable[..., Any]:
    """The factory of a plugin.

    Raises PluginError where no plugin has the name (with the nearest names), where two distributions claim it, where it
    fails on import (with its own error), is no callable, or was written for another version of `hieratk.protocols`.
    """
    plugin = find([kind], name)
    if plugin.rivals:
        claims = " and ".join((plugin.distribution, *plugin.rivals))
        raise PluginError(f"{kind} '{name}' is offered by {claims}; uninstall all but one of them")
    module, _, attribute = plugin.value.partition(":")
    try:
        value: Any = importlib.import_module(module)
        _check_api(plugin, module)
        for part in filter(None, attribute.split(".")):
            value = getattr(value, part)
    except PluginError:
        raise
    except (Exception, SystemExit) as error:  # a stranger's module may raise anything, and only its user shall see it
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise PluginError(
            f"{plugin} cannot be imported from {plugin.value}: {reason}; mend or uninstall {plugin.distribution}"
        ) from error
    if not callable(value):
        raise PluginError(f"{plugin}: {plugin.value} is a {type(value).__name__}, not a function that makes a {kind}")
    factory: Callable[..., Any] = value
    return factory


def options_of(factory: Callable[..., Any]) -> tuple[Option, ...]:
    """The options in a factory's signature: all parameters but the first, `backbone`, `*args` and `**kwargs`."""
    options = []
    for parameter in list(inspect.signature(factory).parameters.values())[1:]:
        variable = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY)
        if variable or parameter.name in SUBJECTS:
            continue
        annotation = _annotation(factory, parameter)
        text = "" if annotation is parameter.empty else inspect.formatannotation(annotation).removeprefix("typing.")
        required = parameter.default is parameter.empty
        options.append(Option(parameter.name, text.strip("'"), None if required else parameter.default, required))
    return tuple(options)


def check_options(factory: Callable[..., Any], options: Mapping[str, Any], *, plugin: str) -> dict[str, Any]:
    """Options as the factory's annotations want them (a list becomes the tuple that is asked for).

    `plugin` is how messages call the factory, such as "backbone 'conv'". Raises PluginError that names every wrong
    option at once: unknown ones with the nearest name, missing ones, and values that do not fit the annotation.
    """
    checked, wrong = fit_options(factory, options)
    if wrong:
        raise PluginError(f"{plugin}: " + "; ".join(message for _, message in wrong))
    return checked


def fit_options(
    factory: Callable[..., Any], options: Mapping[str, Any]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The options that fit, as `check_options` gives them, and the name of every wrong one with what is wrong."""
    known = {option.name: option for option in options_of(factory)}
    wrong = []
    checked: dict[str, Any] = {}
    for name, value in options.items():
        if name not in known:
            wrong.append((name, _unknown(f"no option '{name}'", name, list(known), "options")))
            continue
        try:
            checked[name] = _fit(factory, name, value)
        except ValueError as error:
            wrong.append((name, f"option '{name}' is {value!r}: {error}"))
    wrong += [
        (name, f"option '{name}' must be given ({option.annotation or 'any value'})")
        for name, option in known.items()
        if option.required and name not in options
    ]
    return checked, wrong


def _fit(factory: Callable[..., Any], name: str, value: Any) -> Any:
    """The value as the parameter's annotation wants it; ValueError (pydantic's first sentence) where it cannot be."""
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

    annotation = _annotation(factory, inspect.signature(factory).parameters[name])
    if annotation is inspect.Parameter.empty or isinstance(annotation, str):
        # A name that only a type checker sees: the factory itself is then the judge of the value.
        return value
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:
        return value
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise ValueError(_sentence(error.errors()[0])) from error


def _annotation(factory: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """The type that a parameter is annotated with; its text where a name in it is not defined when the plugin runs."""
    if not isinstance(parameter.annotation, str):
        return parameter.annotation
    try:
        # As typing.get_type_hints does, but one parameter at a time: another's annotation may not be evaluable.
        return eval(parameter.annotation, getattr(factory, "__globals__", {}))
    except (NameError, AttributeError, TypeError):
        return parameter.annotation


def _sentence(error: Any) -> str:
    place = "".join(f"[{part}]" for part in error["loc"] if isinstance(part, int))
    message = str(error["msg"])
    return (f"at {place} " if place else "") + message[0].lower() + message[1:]


def _unknown(message: str, name: str, candidates: list[str], noun: str) -> str:
    close = nearest(name, candidates)
    if close:
        message += f"; did you mean {' or '.join(repr(word) for word in close)}?"
    if not candidates:
        return f"{message}; there are no {noun}"
    return f"{message}{'' if close else ';'} there are {', '.join(sorted(candidates))}"


def _check_api(plugin: Plugin, module: str) -> None:
    """The API number may stand in the module of the factory or in a package above it."""
    while module:
        stated = getattr(sys.modules.get(module), "HIERATK_API", API)
        if stated != API:
            raise PluginError(
                f"{plugin} was written for version {stated} of the plugin protocols, this hieratk has version {API}; "
                f"install the release of {plugin.distribution} for this hieratk"
            )
        module = module.rpartition(".")[0]
