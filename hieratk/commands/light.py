"""Commands that start quickly.

Newer versions of typer read every parameter, even `--help`, through pydantic; loading it takes longer than a whole
check of a taxonomy. Text and switches need no reading. Where typer has no such step, these classes change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_name
from typer.models import CommandInfo


class LightCommand(TyperCommand):
    """A command whose parameters are texts, lists of texts and switches."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does it, the words of a parameter taken as they are."""
        _lighten(self.get_params(ctx))
        return super().parse_args(ctx, args)


class LightGroup(TyperGroup):
    """A group of commands whose own parameters are switches."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does it, switches taken as they are."""
        _lighten(self.get_params(ctx))
        return super().parse_args(ctx, args)


def narrowed(app: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """The application with the one command that the words name, the whole where they name none.

    typer builds every command before it looks which one is asked for, and that takes longer than checking a taxonomy.
    """
    if not words or words[0].startswith("-"):
        return app
    name, *rest = words
    groups = [copy(info) for info in app.registered_groups if info.name == name]
    commands = [info for info in app.registered_commands if _name(info) == name]
    if len(groups) + len(commands) != 1:
        return app
    for info in groups:
        if info.typer_instance is not None:
            info.typer_instance = narrowed(info.typer_instance, rest)
    found = copy(app)
    found.registered_groups, found.registered_commands = groups, commands
    return found


def _name(info: CommandInfo) -> str:
    return info.name or get_command_name(info.callback.__name__ if info.callback is not None else "")


class _AsWritten:
    def coerce(self, value: Any, **_context: Any) -> Any:
        return list(value) if isinstance(value, tuple) else value


def _lighten(parameters: list[Any]) -> None:
    for parameter in parameters:
        if getattr(parameter, "_runtime_param", parameter) is None:
            parameter._runtime_param = _AsWritten()
