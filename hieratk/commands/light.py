"""Commands that start quickly.

Newer versions of typer read every parameter, even `--help`, through pydantic; loading it takes longer than a whole
check of a taxonomy. Text and switches need no reading. Where typer has no such step, these classes change nothing.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


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


class _AsWritten:
    def coerce(self, value: Any, **_context: Any) -> Any:
        return list(value) if isinstance(value, tuple) else value


def _lighten(parameters: list[Any]) -> None:
    for parameter in parameters:
        if getattr(parameter, "_runtime_param", parameter) is None:
            parameter._runtime_param = _AsWritten()
