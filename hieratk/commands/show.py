"""What commands print: progress and score tables. Progress goes to stderr, results to stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.table import Table

    from hieratk.training.evaluate import Scores


class Advance(Protocol):
    """Told how far the work has come, and optionally what to say about it."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


def print_text(text: str) -> None:
    """Write to standard output; characters that the terminal's encoding lacks are written as escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


@contextmanager
def progress(title: str, *, quiet: bool) -> Iterator[Advance]:
    """A bar on a terminal, a line every ten seconds elsewhere, nothing when quiet."""
    if quiet:
        yield _silence
        return
    if not sys.stderr.isatty():
        last = [time.monotonic()]

        def line(done: int, total: int, note: str = "") -> None:
            now = time.monotonic()
            if done >= total or now - last[0] >= 10:
                last[0] = now
                print(f"{title} {done}/{total} {note}".rstrip(), file=sys.stderr, flush=True)

        yield line
        return

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
        *(TextColumn("{task.fields[note]}"), TimeElapsedColumn(), TimeRemainingColumn()),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None, note="")
        yield lambda done, total, note="": bar.update(task, completed=done, total=total, note=note)


def _silence(done: int, total: int, note: str = "") -> None:
    pass


def say(message: str, *, quiet: bool = False) -> None:
    """A line to the person who waits."""
    if not quiet:
        print(message, file=sys.stderr, flush=True)


def warn(message: str) -> None:
    """A line about something that went on all the same."""
    print(f"warning: {message}", file=sys.stderr, flush=True)


def print_scores(scores: Scores, *, classes: bool = False) -> None:
    """Overall accuracy, mean IoU and consistency by level; the IoU of every class where asked for."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{scores.split} split, {scores.pixels:,} labelled pixels", title_justify="left")
    table.add_column("level")
    for name in ("classes", "OA", "mIoU"):
        table.add_column(name, justify="right")
    for name, level in scores.levels.items():
        table.add_row(name, str(len(level.iou)), _percent(level.oa), _percent(level.miou))
    console.print(table)
    console.print(
        f"consistency: {_percent(scores.consistency)} of pixels lie on one root-to-leaf path "
        f"(one argmax a level: {_percent(scores.independent_consistency)})"
    )
    if classes:
        for name, level in scores.levels.items():
            console.print(_class_table(name, level.iou, level.support))


def _class_table(level: str, iou: object, support: object) -> Table:
    from rich.table import Table

    assert isinstance(iou, dict)
    assert isinstance(support, dict)
    table = Table(title=level, title_justify="left")
    table.add_column("class")
    table.add_column("IoU", justify="right")
    table.add_column("pixels", justify="right")
    for id_, value in iou.items():
        table.add_row(id_, _percent(value), f"{support[id_]:,}")
    return table


def _percent(share: float) -> str:
    return "-" if share != share else f"{100 * share:.1f} %"
