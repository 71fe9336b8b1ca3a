"""A plan as plain text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from hieratk.taxonomy.dump import columns
from hieratk.taxonomy.tree import Taxonomy
from hieratk.transfer.plan import ACTIONS, PlanRow, TransferPlan

MEANINGS = {
    "keep": "one class of the source, row unchanged",
    "split": "lies inside source classes, started from their rows",
    "merge": "holds or crosses source classes, started from their weighted mean",
    "new": "nothing in the source is known to be this",
}
HEADINGS = ("class", "level", "relation", "in the source", "starts from", "noise", "because", "pixels")

_LISTED = 4


def as_text(plan: TransferPlan, source: Taxonomy, target: Taxonomy) -> str:
    """The plan for people without a terminal: a table for each action, what is dropped, and the target tree."""
    lines = [*headline(plan), ""]
    for action in ACTIONS:
        rows = plan.of(action)
        if rows:
            lines += [
                f"{action} ({len(rows)}): {MEANINGS[action]}",
                *_aligned([HEADINGS, *cells(plan, rows, target)]),
                "",
            ]
    if plan.dropped:
        lines += [f"drop ({len(plan.dropped)}): no target class has a use for them", *dropped(plan, source), ""]
    lines += [f"{target.id}, and what starts each class"]
    lines += _aligned([(row_branch + row.node, mark(row)) for row_branch, row in branches(plan)])
    return "\n".join(lines) + "\n"


def as_json(plan: TransferPlan) -> str:
    """The plan for programs; the keys are the names of the values in `hieratk.transfer.plan`."""
    found = {
        "source": asdict(plan.source),
        "target": asdict(plan.target),
        "rows": [{**asdict(row), "start": dict(row.start)} for row in plan.rows],
        "dropped": plan.dropped,
        "frozen": plan.frozen,
        "needs": {node: None if pixels is None else dict(pixels) for node, pixels in plan.needs.items()},
        "warnings": [asdict(warning) for warning in plan.warnings],
        "notes": plan.notes,
    }
    return json.dumps(found, ensure_ascii=False, indent=1)


def headline(plan: TransferPlan) -> list[str]:
    """From where to where, by what evidence, how many rows of each kind, and what stays frozen."""
    counts = [f"{len(plan.of(action))} {action}" for action in ACTIONS if plan.of(action)]
    if plan.dropped:
        counts.append(f"{len(plan.dropped)} drop")
    guessed = f"; {len(plan.guesses)} guessed (?)" if plan.guesses else ""
    lines = [f"{plan.source} -> {plan.target}", *plan.notes]
    lines.append(f"{len(plan.rows)} classes to predict: {', '.join(counts)}{guessed}")
    lines.append(f"frozen: {', '.join(plan.frozen) or 'nothing'}")
    return lines


def cells(plan: TransferPlan, rows: Iterable[PlanRow], target: Taxonomy) -> list[tuple[str, ...]]:
    """The table of some rows, under `HEADINGS`."""
    found: list[tuple[str, ...]] = []
    for row in rows:
        relation = row.relation + ("?" if row.guessed else "")
        because = row.reason if row.evidence == "" else f"{row.reason}: {row.evidence}"
        noise = f"{row.noise:g}" if row.noise else ""
        level = target.level_names[row.level]
        found.append(
            (row.node, level, relation, _ids(row.aligned), started(row), noise, because, _pixels(plan, row.node))
        )
    return found


def started(row: PlanRow) -> str:
    """What starts a row, in words."""
    if not row.start:
        return "random"
    if len(row.start) == 1 and row.start[0][1] == 1:
        return row.start[0][0]
    shown = [f"{weight:.2g} {id_}" for id_, weight in row.start[:_LISTED]]
    return " + ".join(shown) + (f" + {len(row.start) - _LISTED} more" if len(row.start) > _LISTED else "")


def mark(row: PlanRow) -> str:
    """A row of the tree in a few words."""
    doubt = "?" if row.guessed else ""
    return f"{row.action}{doubt}  {started(row)}" + (f"  ! {', '.join(row.flags)}" if row.flags else "")


def branches(plan: TransferPlan) -> list[tuple[str, PlanRow]]:
    """The rows in the order of the tree, each behind its lines of the drawing."""
    children: dict[str | None, list[PlanRow]] = {}
    for row in plan.rows:
        children.setdefault(row.under, []).append(row)
    found: list[tuple[str, PlanRow]] = []

    def add(row: PlanRow, branch: str, below: str) -> None:
        found.append((branch, row))
        inner = children.get(row.node, [])
        for child in inner:
            last = child is inner[-1]
            add(child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))

    for top in children.get(None, []):
        add(top, "", "")
    return found


def dropped(plan: TransferPlan, source: Taxonomy) -> list[str]:
    """Dropped classes, those below a dropped one counted only."""
    gone = set(plan.dropped)
    lines = []
    for id_ in plan.dropped:
        if source[id_].parent not in gone:
            below = sum(inner in gone for inner in source.descendants(id_))
            lines.append(f"  {id_}" + (f" and {below} below it" if below else ""))
    return lines


def _ids(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_LISTED])
    return shown + (f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else "")


def _pixels(plan: TransferPlan, node: str) -> str:
    counted = plan.needs.get(node)
    if counted is None:
        return ""
    return " / ".join(f"{counted.get(split, 0):,}" for split in ("train", "val", "test"))


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side; one without any text below its heading is left out."""
    shown = [i for i in range(len(table[0])) if any(row[i] for row in table[1:])] or [0]
    width = {i: max(columns(row[i]) for row in table) for i in shown}
    return ["  " + "  ".join(row[i] + " " * (width[i] - columns(row[i])) for i in shown).rstrip() for row in table]
