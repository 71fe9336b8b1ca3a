"""`hieratk plugins`: what is installed, what it wants, whether it keeps the contract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hieratk.plugins import Plugin
    from hieratk.protocols import Kind
    from hieratk.testing import Check

plugins_app = typer.Typer(
    help="Models, backbones and data sets that are installed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_NAME = typer.Argument(help="Name of a plugin, as `hieratk plugins list` shows it.")
_KIND = typer.Option("--kind", help="model, backbone, dataset or loss, where a name is used for several.")


@plugins_app.command(name="list")
def list_(kind: Annotated[str | None, _KIND] = None) -> None:
    """The plugins that are installed, read from their metadata: nothing is imported.

    Example: hieratk plugins list --kind backbone
    """
    from hieratk.plugins import available, missing_module

    rows = [("KIND", "NAME", "DISTRIBUTION", "FACTORY", "")]
    for each in _kinds(kind):
        for plugin in available(each).values():
            remark = f"clashes with {', '.join(plugin.rivals)}" if plugin.rivals else ""
            absent = missing_module(plugin)
            remark = remark or (f"broken: no module {absent}" if absent else "")
            rows.append((each, plugin.name, f"{plugin.distribution} {plugin.version}", plugin.value, remark))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        padded = (text.ljust(width) for text, width in zip(row, (*widths, 0), strict=True))
        typer.echo("  ".join(padded).rstrip())


@plugins_app.command()
def show(name: Annotated[str, _NAME], kind: Annotated[str | None, _KIND] = None) -> None:
    """What a plugin is, where it comes from and which options it takes.

    Example: hieratk plugins show unet
    """
    import inspect

    from hieratk.plugins import load, options_of

    for position, plugin in enumerate(_find(name, kind)):
        factory = load(plugin.kind, plugin.name)
        typer.echo(("\n" if position else "") + f"{plugin.kind} {plugin.name}")
        typer.echo(f"from {plugin.distribution} {plugin.version}, {plugin.value}")
        options = options_of(factory)
        for option in options:
            default = "must be given" if option.required else f"default {option.default!r}"
            typer.echo(f"  {option.name}: {option.annotation or 'anything'} ({default})")
        if not options:
            typer.echo("  no options")
        typer.echo("\n" + (inspect.getdoc(factory) or "It says nothing about itself."))


@plugins_app.command()
def check(
    name: Annotated[str, _NAME],
    kind: Annotated[str | None, _KIND] = None,
    bands: Annotated[
        list[int] | None, typer.Option(help="Band counts to try; 1, 4 and 10 where none is given.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help="An option of the plugin, as JSON or text."),
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile/--no-compile", help="Try torch.compile and torch.export too; takes seconds.")
    ] = True,
    import_seconds: Annotated[
        float | None, typer.Option(help="The most that importing it may take beyond torch; 5 where nothing is given.")
    ] = None,
) -> None:
    """Run the contract checks on a plugin: shapes, odd sizes, gradients, determinism and more. Exit 1 if one fails.

    Example: hieratk plugins check timm --set model=resnet18 --bands 4
    """
    failed = False
    for plugin in _find(name, kind):
        typer.echo(f"{plugin}")
        checks = _import_checks(plugin, import_seconds)
        if all(each.passed for each in checks):
            checks += _checks(plugin, _parse(settings or []), tuple(bands or ()), compiled=compiled)
        for each in checks:
            typer.echo(f"  {each}")
        failures = sum(not each.passed for each in checks)
        typer.echo(f"{len(checks)} checks, {failures} failed")
        failed |= failures > 0
    if failed:
        raise typer.Exit(1)


@plugins_app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder; its name becomes the backbone's name.")],
) -> None:
    """Write a package with a small backbone that keeps the contract, to start your own from.

    Example: hieratk plugins new my-backbone
    """
    from hieratk import __version__
    from hieratk.commands.plugin_package import write
    from hieratk.protocols import API

    name = write(folder, version=__version__, api=API)
    typer.echo(f"{folder}: a package with the backbone '{name}'")
    typer.echo(f'next: pip install -e "{folder}[test]" && hieratk plugins check {name}')


def _import_checks(plugin: Plugin, seconds: float | None) -> list[Check]:
    """Whether the plugin imports in time, and whether it loads."""
    from hieratk.errors import PluginError
    from hieratk.plugins import load
    from hieratk.testing import IMPORT_SECONDS, Check, check_import

    if plugin.rivals:
        quickly = []  # nothing of a name that two claim is imported
    else:
        quickly = [check_import(plugin, limit=IMPORT_SECONDS if seconds is None else seconds)]
    try:
        load(plugin.kind, plugin.name)
    except PluginError as error:
        return [*quickly, Check("loads", False, str(error))]
    return [*quickly, Check("loads", True)]


def _checks(plugin: Plugin, options: dict[str, Any], bands: tuple[int, ...], *, compiled: bool) -> list[Check]:
    from hieratk.errors import PluginError
    from hieratk.plugins import check_options, load
    from hieratk.testing import BANDS, check_backbone, check_dataset, check_loss, check_model

    factory = load(plugin.kind, plugin.name)
    try:
        options = check_options(factory, options, plugin=f"{plugin.kind} '{plugin.name}'")
    except PluginError as error:
        raise PluginError(f"{error}; give options as --set OPTION=VALUE") from None
    if plugin.kind == "dataset":
        return check_dataset(factory, options=options)
    if plugin.kind == "loss":
        return check_loss(factory, options=options)
    run = check_model if plugin.kind == "model" else check_backbone
    return run(factory, options=options, bands=bands or BANDS, compiled=compiled)


def _find(name: str, kind: str | None) -> list[Plugin]:
    from hieratk.plugins import available, find

    kinds = _kinds(kind)
    found = [plugins[name] for each in kinds if name in (plugins := available(each))]
    return found or [find(kinds, name)]


def _kinds(kind: str | None) -> list[Kind]:
    from hieratk.errors import PluginError
    from hieratk.protocols import GROUPS

    kinds = [each for each in GROUPS if kind in (None, each)]
    if not kinds:
        raise PluginError(f"--kind {kind}: there are {', '.join(GROUPS)}")
    return kinds


def _parse(settings: list[str]) -> dict[str, Any]:
    import json

    from hieratk.errors import PluginError

    options: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not key or not equals:
            raise PluginError(f"--set {setting!r}: write option=value, for instance --set depth=3")
        try:
            options[key] = json.loads(text)
        except json.JSONDecodeError:
            options[key] = text
    return options
