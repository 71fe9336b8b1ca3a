"""A transfer plan on a terminal: a table of rows by action, and the target tree with the starts."""

from __future__ import annotations

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from hieratk.taxonomy.tree import Taxonomy
from hieratk.transfer.plan import ACTIONS, PlanRow, TransferPlan
from hieratk.transfer.text import HEADINGS, MEANINGS, cells, dropped, headline, started

_STYLES = {"keep": "green", "split": "cyan", "merge": "blue", "new": "yellow"}


def paint(plan: TransferPlan, source: Taxonomy, target: Taxonomy) -> None:
    """Print the plan on standard output."""
    Console(highlight=False).print(drawing(plan, source, target))


def drawing(plan: TransferPlan, source: Taxonomy, target: Taxonomy) -> Group:
    """Everything that is shown of a plan."""
    parts: list[Text | Table | Tree] = [Text("\n".join(headline(plan)), style="bold")]
    for action in ACTIONS:
        rows = plan.of(action)
        if rows:
            parts.append(_table(plan, rows, action, target))
    if plan.dropped:
        title = Text(f"\ndrop ({len(plan.dropped)})", style="bold red")
        parts.append(Text.assemble(title, ": no target class has a use for them\n", "\n".join(dropped(plan, source))))
    return Group(*parts, Text(), _tree(plan, target))


def _table(plan: TransferPlan, rows: tuple[PlanRow, ...], action: str, target: Taxonomy) -> Table:
    lines = cells(plan, rows, target)
    shown = [i for i in range(len(HEADINGS)) if any(line[i] for line in lines)]
    title = Text.assemble((f"{action} ({len(rows)})", f"bold {_STYLES[action]}"), f": {MEANINGS[action]}")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim")
    for i in shown:
        table.add_column(HEADINGS[i], overflow="fold", style=_STYLES[action] if i == 0 else "")
    for row, line in zip(rows, lines, strict=True):
        table.add_row(*(Text(line[i], style="yellow" if row.flags and i == 2 else "") for i in shown))
    return table


def _tree(plan: TransferPlan, target: Taxonomy) -> Tree:
    root = Tree(Text(f"{target.id}, and what starts each class", style="bold"), guide_style="dim")
    at: dict[str | None, Tree] = {None: root}
    for row in plan.rows:
        label = Text.assemble(
            (row.node, _STYLES[row.action]),
            f"  {row.action}{'?' if row.guessed else ''}  ",
            (started(row), "dim"),
            (f"  ! {', '.join(row.flags)}" if row.flags else "", "yellow"),
        )
        at[row.node] = at[row.under].add(label)
    return root
