"""A plan as a document that can be read, edited and given back: `read(dump(plan)) == plan`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from hieratk.errors import TransferError
from hieratk.taxonomy.dump import columns, scalar
from hieratk.taxonomy.tree import Taxonomy
from hieratk.transfer.plan import PlanRow, TransferPlan

FORMAT = "transfer/1"

_COLUMNS = 180
"""Wider than elsewhere: a plan is edited row by row, and a row on one line can be compared with the next."""
_HEAD = """\
# How a model of `{source}` becomes one of `{target}`. Edit it, then carry it out:
#
#     hieratk transfer --from {source} --to {target} --plan THIS_FILE --checkpoint SOURCE --config RUN.yaml
#
# A row is a class of {target}, in the order of the tree; none may be missing.
#   action    keep: the row of one class of {source}, unchanged. split: it lies inside
#             classes of {source}. merge: it holds or crosses several. new: nothing in {source} is known to be this.
#   relation  of the class to the union of `aligned`: equal, subset (it lies inside), superset, overlap, none.
#             Training holds the class to its relation, so say `overlap` or `none` where you are not sure.
#   start     classes of {source} whose rows start this one, with weights that sum to 1; left out, it starts at random.
#   noise     standard deviation of what is added to the start, relative to the row's norm.
# `reason`, `evidence`, `guessed` and `flags` are for readers: nothing is computed from them.
"""

_Item: TypeAlias = "str | float | bool | Mapping[str, _Item] | Sequence[_Item]"


def dump(plan: TransferPlan) -> str:
    """The document of a plan, with comments on how to edit it."""
    lines = [f"hieratk: {FORMAT}"]
    for key, ref in (("from", plan.source), ("to", plan.target)):
        lines += _entry(key, {"taxonomy": ref.id, "version": ref.version, "fingerprint": ref.fingerprint}, 0)
    if plan.notes:
        lines += _entry("notes", plan.notes, 0)
    if plan.warnings:
        lines += ["", "warnings:"]
        for warning in plan.warnings:
            about: dict[str, _Item] = {"code": warning.code}
            if warning.node is not None:
                about["class"] = warning.node
            lines += _item({**about, "message": warning.message}, 2)
    lines += ["", *_entry("frozen", plan.frozen, 0)]
    lines += ["", "rows:"]
    for row in plan.rows:
        lines += _entry(row.node, _row(row), 2)
    if plan.dropped:
        lines += ["", *_entry("dropped", plan.dropped, 0)]
    counted = {node: dict(pixels) for node, pixels in plan.needs.items() if pixels is not None}
    if counted:
        lines += ["", "needs:  # labelled pixels found for what must be learned"]
        for node, pixels in counted.items():
            lines += _entry(node, pixels, 2)
    head = _HEAD.format(source=plan.source.id, target=plan.target.id)
    return head + "\n".join(lines) + "\n"


def load(path: str | os.PathLike[str], source: Taxonomy, target: Taxonomy) -> TransferPlan:
    """The plan of a file. Raises TransferError with every problem at its place."""
    from hieratk.diagnostics import render
    from hieratk.documents import read_source
    from hieratk.transfer.reading import read

    text, problems = read_source(path)
    plan, found = (None, []) if problems else read(text, source, target)
    problems += found
    if plan is None:
        errors = [problem for problem in problems if problem.severity == "error"]
        raise TransferError(f"the plan {os.fspath(path)} cannot be used\n\n{render(errors)}".rstrip())
    return plan


def _row(row: PlanRow) -> dict[str, _Item]:
    found: dict[str, _Item] = {"action": row.action, "relation": row.relation}
    if row.aligned:
        found["aligned"] = row.aligned
    if row.start:
        found["start"] = dict(row.start)
    if row.noise:
        found["noise"] = row.noise
    found["reason"] = row.reason
    if row.guessed:
        found["guessed"] = True
    if row.flags:
        found["flags"] = row.flags
    if row.evidence:
        found["evidence"] = row.evidence
    return found


def _entry(key: str, value: _Item, indent: int) -> list[str]:
    """The lines of `key: value`: one where it fits, else one a key."""
    start = f"{' ' * indent}{scalar(key, flow=False)}:"
    if not isinstance(value, Mapping | Sequence) or isinstance(value, str):
        return [f"{start} {_flow(value, flow=False)}"]
    line = f"{start} {_flow(value)}"
    if not value or columns(line) <= _COLUMNS:
        return [line]
    if isinstance(value, Mapping):
        return [start, *(line for inner, item in value.items() for line in _entry(inner, item, indent + 2))]
    return [start, *(line for item in value for line in _item(item, indent + 2))]


def _item(value: _Item, indent: int) -> list[str]:
    line = f"{' ' * indent}- {_flow(value, flow=isinstance(value, Mapping))}"
    if not isinstance(value, Mapping) or columns(line) <= _COLUMNS:
        return [line]
    inner = [line for key, item in value.items() for line in _entry(key, item, indent + 2)]
    return [f"{' ' * indent}- {inner[0].lstrip()}", *inner[1:]]


def _flow(value: _Item, *, flow: bool = True) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            # The notation knows no exponents: 1e3 is text to some readers of YAML.
            return format(Decimal(repr(value)), "f").removesuffix(".0")
        case str():
            return scalar(value, flow=flow)
        case Mapping():
            return "{" + ", ".join(f"{scalar(key, flow=True)}: {_flow(item)}" for key, item in value.items()) + "}"
        case _:
            return "[" + ", ".join(_flow(item) for item in value) + "]"
