"""hieratk calibrate: how deep a map may go at a risk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hieratk.commands.work import Device, Overrides, Quiet

if TYPE_CHECKING:
    from hieratk.calibration import Report


def add_to(app: typer.Typer) -> None:
    """Put the command of this file on the command line."""
    app.command()(calibrate)


def calibrate(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="The folder that `hieratk train` wrote.")],
    config: Annotated[Path | None, typer.Option(help="Another run file: its scenes and split.")] = None,
    split: Annotated[str, typer.Option(help="val or test: what to calibrate on.")] = "val",
    risk: Annotated[float, typer.Option(help="Share of decided classes that may be wrong.")] = 0.1,
    block: Annotated[
        int | None,
        typer.Option(min=1, help="Side in pixels of what counts as one observation [default: the split's blocks]."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Show the risks met on the other split.")] = False,
    format: Annotated[Literal["table", "json"], typer.Option(help="table or json.")] = "table",
    overrides: Overrides = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Calibrate a checkpoint; `predict` then leaves open what it cannot tell.  Example: hieratk calibrate runs/x"""
    from hieratk.commands.show import progress, say
    from hieratk.commands.work import choose_device
    from hieratk.config import read_run
    from hieratk.errors import ConfigError

    if split not in ("val", "test"):
        raise ConfigError(f"cannot calibrate on `{split}`; val and test are what the model did not learn from")
    run = read_run(config, overrides or []) if config else None
    from hieratk.calibration import calibrate as find
    from hieratk.checkpoints import open_checkpoint
    from hieratk.training.setup import prepare

    prepared = prepare(run or open_checkpoint(checkpoint).run, folder=checkpoint)
    other = {"val": "test", "test": "val"}[split] if check else None
    with progress("calibrate", quiet=quiet) as advance:
        report = find(
            checkpoint, prepared, risk=risk, split=split, block=block, check=other,
            device=choose_device(device), progress=advance,
        )  # fmt: skip
    if format == "json":
        print(report.to_json())
    else:
        _print(report)
    say(f"next: hieratk predict {checkpoint} IN.tif -o map.tif", quiet=quiet)


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    console, calibration = Console(), report.calibration
    where = report.checked or calibration.split
    kind = "" if report.checked else ", the pixels that chose the thresholds (--check shows others)"
    console.print(f"{where} split, {report.pixels:,} pixels in {report.units:,} blocks{kind}")
    table = Table(title="risk asked and met, levels decided, share of pixels whose last decided level is ...",
                  title_justify="left")  # fmt: skip
    for name in ("asked", "met", "threshold", "levels", "none", *report.levels):
        table.add_column(name, justify="right")
    for row in report.rows:
        mark = " *" if row.asked == calibration.risk else ""
        met = f"{100 * row.met:.2f} %" + ("" if row.error != row.error else f" +- {100 * row.error:.2f}")
        stops = [f"{100 * share:.1f} %" for share in row.stops]
        table.add_row(f"{100 * row.asked:g} %{mark}", met, f"{row.threshold:.4f}", f"{row.depth:.2f}", *stops)
    console.print(table)
    temperatures = ", ".join(f"{n} {t:.2f}" for n, t in zip(report.levels, calibration.temperatures, strict=True))
    console.print(
        f"* in the checkpoint, with temperatures {temperatures}; thresholds from {calibration.units} blocks of "
        f"{calibration.block} px"
    )
