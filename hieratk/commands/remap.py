"""hieratk remap, check-raster and taxonomy compile: legends applied to rasters, and tables for other programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hieratk.errors import TaxonomyError

if TYPE_CHECKING:
    from hieratk.remap import Counts
    from hieratk.taxonomy.data_rules import Finding

_From = Annotated[str, typer.Option("--from", metavar="NAME", help="The tree of the raster: a name or a file.")]
_Band = Annotated[int, typer.Option(min=1, help="The band that holds classes.")]
_Format = Annotated[str, typer.Option("--format", help="table or json.")]


def add_to(app: typer.Typer, taxonomy_app: typer.Typer) -> None:
    """Put the commands of this file on the command line."""
    app.command()(remap)
    app.command("check-raster")(check_raster)
    taxonomy_app.command("compile")(compile_)


def remap(
    source: Annotated[Path, typer.Argument(metavar="IN.tif", help="A raster of classes.")],
    output: Annotated[Path, typer.Argument(metavar="OUT.tif", help="The raster to write.")],
    from_: _From,
    encoding: Annotated[str | None, typer.Option(help="The encoding that IN is written in.")] = None,
    crosswalk: Annotated[str | None, typer.Option(help="A crosswalk from that tree: a name or a file.")] = None,
    to: Annotated[str | None, typer.Option(help="A tree that is connected with it: a name or a file.")] = None,
    level: Annotated[str | None, typer.Option(help="A level of the same tree.")] = None,
    to_encoding: Annotated[str | None, typer.Option("--to-encoding", help="The encoding to write.")] = None,
    allow_dropped: Annotated[
        bool, typer.Option("--allow-dropped", help="Write even where pixels lose their class.")
    ] = False,
    band: _Band = 1,
    format: _Format = "table",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Write a raster of classes in another legend, and say what became of every value.

    Exit 1, and no file, where pixels would lose their class. Example: hieratk remap in.tif out.tif --from nlcd --level
    class
    """
    from hieratk.commands.show import progress
    from hieratk.remap import DroppedPixels, connect
    from hieratk.remap import remap as write

    _known_format(format)
    table = connect(
        from_, encoding=encoding, crosswalk=crosswalk, to=to, level=level, to_encoding=to_encoding
    )  # fmt: skip
    typer.echo(f"by {table.way}", err=True)
    try:
        with progress(output.name, quiet=quiet) as advance:
            counts = write(source, output, table, band=band, allow_dropped=allow_dropped, progress=advance)
    except DroppedPixels as error:
        _show(error.counts, format)
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    _show(counts, format)


def check_raster(
    raster: Annotated[Path, typer.Argument(metavar="IN.tif", help="A raster of classes.")],
    from_: _From,
    encoding: Annotated[str | None, typer.Option(help="The encoding that it is written in.")] = None,
    band: _Band = 1,
    format: _Format = "table",
) -> None:
    """Check a raster against the legend it is written in: undeclared values, nodata, colours.

    Exit 1 where a value is undeclared. Example: hieratk check-raster map.tif --from corine
    """
    from hieratk.remap import check_raster as check
    from hieratk.taxonomy.catalog import load

    _known_format(format)
    tree = load(from_)
    found = check(raster, tree, encoding=encoding, band=band)
    _report(found.findings, str(raster), format)
    if format == "table":
        pixels = sum(seen.pixels for seen in found.values) + found.unlisted
        masked = f", {found.masked:,} masked" if found.masked else ""
        print(f"{raster}: {pixels:,} pixels, {len(found.values)} values{masked}")
    if any(one.severity == "error" for one in found.findings):
        raise typer.Exit(1)


def compile_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A tree: a name or a file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write, .npz.")],
    index: Annotated[str, typer.Option(help="Type of the class indices: uint8, int16, int32 or int64.")] = "int64",
    encoding: Annotated[str | None, typer.Option(help="An encoding that must have values for leaves.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show information too.")] = False,
    format: _Format = "table",
) -> None:
    """Write the tables of a tree as numpy arrays.  Example: hieratk taxonomy compile nlcd -o nlcd.npz"""
    from hieratk.taxonomy.catalog import load
    from hieratk.taxonomy.data_rules import INDEX_TYPES, check_tables

    _known_format(format)
    if index not in INDEX_TYPES:
        raise TaxonomyError(f"--index knows no `{index}`; there are {', '.join(INDEX_TYPES)}")
    if output.suffix != ".npz":
        raise TaxonomyError(f"tables are written as numpy arrays; did you mean {output.with_suffix('.npz')}?")
    tree = load(name)
    if encoding is not None and tree.encodings and encoding not in tree.encodings:
        raise TaxonomyError(f"`{tree.id}` has no encoding `{encoding}`; it has {', '.join(tree.encodings)}")
    found = check_tables(tree, index=index, encoding=encoding)
    _report([one for one in found if one.severity != "info" or verbose or format == "json"], name, format)
    if any(one.severity == "error" for one in found):
        raise typer.Exit(1)
    from hieratk.taxonomy.packing import write_tables
    from hieratk.taxonomy.tables import compile_tables

    tables = compile_tables(tree)
    write_tables(output, tables, index=index)
    if format == "table":
        sizes = " / ".join(map(str, tables.sizes))
        print(f"wrote {output}: {sizes} classes by level, {len(tables.row_ids)} label rows, {tables.fingerprint[:12]}")


def _known_format(format: str) -> None:
    if format not in ("table", "json"):
        raise TaxonomyError(f"--format knows no `{format}`; there are table and json")


def _report(findings: Sequence[Finding], file: str, format: str) -> None:
    if format == "json":
        import json

        print(json.dumps(_diagnostics(findings, file), ensure_ascii=False, indent=1))
        return
    for one in findings:
        place = f" (row {one.place[0]}, column {one.place[1]})" if one.place else ""
        print(f"{one.severity}[{one.code}]: {one.message}\n --> {file}{place}")
        if one.help:
            print(f"  = help: {one.help}")
        print()


def _diagnostics(findings: Sequence[Finding], file: str) -> dict[str, Any]:
    found = []
    summary: dict[str, int] = {}
    for one in findings:
        summary[one.severity] = summary.get(one.severity, 0) + 1
        place = {"row": one.place[0], "column": one.place[1]} if one.place else None
        found.append(
            {
                "code": one.code,
                "name": one.name,
                "severity": one.severity,
                "file": file,
                "pixel": place,
                "message": one.message,
                "help": one.help,
            }
        )
    return {"version": 1, "diagnostics": found, "summary": summary}


def _show(counts: Counts, format: str) -> None:
    if format == "json":
        import json

        print(json.dumps(_counted(counts), ensure_ascii=False, indent=1))
        return
    from hieratk.taxonomy.dump import columns

    rows = list(_rows(counts))
    width = [max(columns(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [_cell(text, width[i], right=i in (0, 2, 3)) for i, text in enumerate(row)]
        print("  ".join(cells).rstrip())
    from hieratk.remap import OUTCOMES

    print("\n" + ", ".join(f"{outcome} {counts.pixels(outcome):,}" for outcome in OUTCOMES))


def _cell(text: str, width: int, *, right: bool) -> str:
    from hieratk.taxonomy.dump import columns

    blanks = " " * (width - columns(text))
    return blanks + text if right else text + blanks


def _rows(counts: Counts) -> Iterator[tuple[str, ...]]:
    yield ("value", "class", "pixels", "->", "class", "outcome", "")
    for one in counts.values:
        fate = one.fate
        to = fate.to or ("no data" if fate.outcome == "void" else "")
        yield (str(one.seen), fate.id, f"{one.seen.pixels:,}", str(fate.value), to, fate.outcome, fate.why)
    if counts.unlisted:
        nodata = str(counts.table.legend.nodata)
        yield ("others", "", f"{counts.unlisted:,}", nodata, "", "undeclared", "more than a thousand values")
    if counts.masked:
        yield ("masked", "", f"{counts.masked:,}", str(counts.table.legend.nodata), "no data", "void", "")


def _counted(counts: Counts) -> dict[str, Any]:
    from hieratk.remap import OUTCOMES

    table = counts.table
    return {
        "version": 1,
        "from": {"taxonomy": table.source.id, "version": table.source.version, "encoding": table.lookup.encoding},
        "to": {
            "taxonomy": table.legend.taxonomy.id,
            "version": table.legend.taxonomy.version,
            "legend": table.legend.name,
            "dtype": table.legend.dtype,
            "nodata": table.legend.nodata,
        },
        "by": table.way,
        "values": [
            {
                "value": one.seen.low if one.seen.low == one.seen.high else [one.seen.low, one.seen.high],
                "id": one.fate.id,
                "pixels": one.seen.pixels,
                "to": one.fate.value,
                "to_id": one.fate.to,
                "outcome": one.fate.outcome,
                "why": one.fate.why,
                "first": list(one.seen.first) if one.seen.first else None,
            }
            for one in counts.values
        ],
        "pixels": {outcome: counts.pixels(outcome) for outcome in OUTCOMES},
        "masked": counts.masked,
    }
