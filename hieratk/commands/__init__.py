"""The command line. Every command imports what it needs inside, so that `hieratk taxonomy` never waits for torch."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from hieratk.commands import (
    calibrate,
    crosswalk,
    demo,
    diff,
    exchange,
    formatting,
    library,
    plugins,
    remap,
    taxonomy,
    transfer,
    work,
)
from hieratk.commands.light import LightGroup, narrowed
from hieratk.errors import HieratkError

app = typer.Typer(
    name="hieratk",
    cls=LightGroup,
    help="Hierarchy-aware semantic segmentation of satellite imagery.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(taxonomy.taxonomy_app, name="taxonomy")
app.add_typer(crosswalk.crosswalk_app, name="crosswalk")
app.add_typer(plugins.plugins_app, name="plugins")
library.add_to(taxonomy.taxonomy_app)
diff.add_to(taxonomy.taxonomy_app)
remap.add_to(app, taxonomy.taxonomy_app)
exchange.add_to(taxonomy.taxonomy_app)
formatting.add_to(taxonomy.taxonomy_app)
work.add_to(app)
calibrate.add_to(app)
transfer.add_to(app)
demo.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        from hieratk import __version__

        typer.echo(f"hieratk {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    if debug:
        os.environ["HIERATK_DEBUG"] = "1"


def main() -> None:
    """Run the command line: exit 0 done, 1 the thing checked is wrong, 2 usage, unreadable input or internal error."""
    try:
        narrowed(app, sys.argv[1:])()
    except HieratkError as error:
        _fail(str(error), error)
    except KeyboardInterrupt as stop:
        _fail(str(stop) or "interrupted", None, status=130)
    except BrokenPipeError:
        # The reader of a pipe has gone (`| head`); what is left to say has no listener.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # the last line of defence: never a bare traceback
        _fail(f"this is a fault of hieratk, not yours: {type(error).__name__}: {error}; run again with --debug", error)


def _fail(message: str, error: BaseException | None, *, status: int = 2) -> None:
    if error is not None and os.environ.get("HIERATK_DEBUG"):
        raise error
    prefix = "" if message.startswith(("error[", "error:")) else "error: "
    print(f"{prefix}{message}", file=sys.stderr)
    sys.exit(status)
