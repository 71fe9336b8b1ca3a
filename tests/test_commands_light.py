"""The command that is asked for, built alone, is the same command."""

from __future__ import annotations

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from hieratk.commands import app
from hieratk.commands.light import narrowed


def commands(found: typer.Typer) -> int:
    """How many commands there are, in all groups."""
    below = sum(commands(info.typer_instance) for info in found.registered_groups if info.typer_instance is not None)
    return len(found.registered_commands) + below


@pytest.mark.parametrize(
    "words", [["taxonomy", "validate"], ["taxonomy", "list"], ["plugins", "list"], ["train"], ["demo"]], ids=" ".join
)
def test_one_command_is_built_and_is_the_same(words: list[str]) -> None:
    before = commands(app)
    assert commands(narrowed(app, words)) == 1
    assert commands(app) == before > 10
    whole = CliRunner().invoke(app, [*words, "--help"])
    alone = CliRunner().invoke(narrowed(app, [*words, "--help"]), [*words, "--help"])
    assert whole.exit_code == alone.exit_code == 0
    assert alone.output == whole.output


@pytest.mark.parametrize("words", [[], ["--help"], ["--debug", "train"], ["trian"], ["taxonomi", "list"]], ids=str)
def test_words_that_name_nothing_leave_everything(words: list[str]) -> None:
    assert narrowed(app, words) is app


def test_a_group_keeps_all_of_its_commands_where_none_is_named() -> None:
    every = get_command(app).commands["taxonomy"].commands  # type: ignore[attr-defined]
    for words in (["taxonomy"], ["taxonomy", "--help"], ["taxonomy", "vaildate", "x.yaml"]):
        group = get_command(narrowed(app, words)).commands["taxonomy"]  # type: ignore[attr-defined]
        assert set(group.commands) == set(every)
