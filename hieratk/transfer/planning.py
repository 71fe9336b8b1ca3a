"""From alignments to a plan: which rows are kept, split, merged or new, and what starts them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from hieratk.errors import TransferError
from hieratk.taxonomy.tree import Taxonomy
from hieratk.transfer.align import Alignments, align
from hieratk.transfer.plan import NOISE, Action, PlanRow, PlanWarning, TransferPlan, TreeRef
from hieratk.transfer.relating import Alignment

if TYPE_CHECKING:
    from hieratk.crosswalk import Crosswalk

_UNSURE = 0.7
"""Below this confidence of a crosswalk line, the row says so (chosen)."""


def plan(
    source: Taxonomy,
    target: Taxonomy,
    *,
    crosswalk: Crosswalk | None = None,
    strict: bool = False,
    survey: Mapping[str, Mapping[str, int]] | None = None,
) -> TransferPlan:
    """How a model of one tree becomes a model of another: one row for every class that the target predicts.

    A class that is exactly one class of the source keeps its row; one that lies inside others is `split` from them,
    with noise where siblings share the start; one that holds or crosses several is their `merge`, a weighted mean;
    one that nothing meets is `new`, and starts from the mean of the rows below its parent's counterpart, or at random.
    The scheme is HieraRS' dynamic category expansion (arXiv 2507.08741, known by name); the formulas are chosen.

    Args:
        source: the tree of the trained model. target: the tree to come.
        crosswalk: the relations of the two trees, in either direction; not needed where one tree extends the other.
        strict: a row that rests on a guess is an error.
        survey: labelled pixels of each target class in each split, `{class: {"train": n, ...}}`.

    Raises TransferError for trees that share nothing, for a crosswalk of other trees or versions, and with `strict` for
    guesses.
    """
    found = align(source, target, crosswalk=crosswalk)
    if strict:
        _refuse_guesses(found)
    rows = _with_noise(tuple(_rows(found)), target)
    warnings = [*found.warnings, *_count_warnings(rows, survey)]
    if crosswalk is not None:
        warnings += _unsure(found, crosswalk)
    flags: dict[str, list[str]] = {}
    for warning in warnings:
        if warning.node is not None:
            flags.setdefault(warning.node, []).append(warning.code)
    rows = tuple(replace(row, flags=tuple(dict.fromkeys(flags.get(row.node, ())))) for row in rows)
    needs = {row.node: None if survey is None else _counted(survey, row.node) for row in rows if row.action != "keep"}
    return TransferPlan(
        TreeRef.of(source), TreeRef.of(target), rows,
        dropped=found.lost, needs=MappingProxyType(needs), warnings=tuple(warnings), notes=found.notes,
    )  # fmt: skip


def _rows(found: Alignments) -> Iterator[PlanRow]:
    entries = {entry.node: entry for entry in found.entries}
    for node in found.target.predicted:
        entry = entries[node.id]
        yield PlanRow(
            node.id, node.level, _action(entry), entry.relation, entry.aligned,
            _rounded(entry.weights),
            under=node.parent, reason=entry.reason, evidence=entry.evidence, guessed=entry.guessed,
        )  # fmt: skip


def _action(entry: Alignment) -> Action:
    if entry.relation == "none":
        return "new"
    if entry.relation == "subset":
        return "split"
    if entry.relation == "equal" and len(entry.aligned) == 1:
        return "keep"
    return "split" if entry.relation == "overlap" and len(entry.aligned) == 1 else "merge"


def _rounded(start: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    """Weights that a person can read and change: four digits, and still 1 together."""
    found = {id_: round(weight, 4) for id_, weight in start}
    found = {id_: weight for id_, weight in found.items() if weight} or dict(start)
    if found:
        largest = max(found, key=lambda id_: found[id_])
        found[largest] = round(1 - math.fsum(weight for id_, weight in found.items() if id_ != largest), 4)
    return tuple(found.items())


def _with_noise(rows: tuple[PlanRow, ...], target: Taxonomy) -> tuple[PlanRow, ...]:
    """Rows that start alike on one level would stay alike: each of them gets noise, those that are kept excepted."""
    by_node = {row.node: row for row in rows}
    shared: set[str] = set()
    for level in target.levels:
        alike: dict[frozenset[tuple[str, float]], list[str]] = {}
        for id_ in level.classes:
            if by_node[id_].start:
                alike.setdefault(frozenset(by_node[id_].start), []).append(id_)
        for ids in alike.values():
            if len(ids) > 1:
                shared.update(ids)
    return tuple(replace(row, noise=NOISE) if row.node in shared and row.action != "keep" else row for row in rows)


def _refuse_guesses(found: Alignments) -> None:
    guesses = [entry for entry in found.entries if entry.guessed]
    if not guesses:
        return
    shown = "\n".join(
        f"  {entry.node}: {entry.relation} {', '.join(entry.aligned)} ({entry.evidence})" for entry in guesses[:10]
    )
    more = f"\n  and {len(guesses) - 10} more" if len(guesses) > 10 else ""
    raise TransferError(
        f"{len(guesses)} of {len(found.entries)} classes of {found.target.id} are aligned by a guess, and --strict"
        f" allows none; write a crosswalk from {found.source.id} to {found.target.id}, `hieratk crosswalk suggest"
        f" {found.source.id} {found.target.id} -o draft.yaml` makes a start\n{shown}{more}"
    )


def _counted(survey: Mapping[str, Mapping[str, int]], node: str) -> Mapping[str, int]:
    return MappingProxyType(dict(survey.get(node, {})))


def _count_warnings(rows: tuple[PlanRow, ...], survey: Mapping[str, Mapping[str, int]] | None) -> Iterator[PlanWarning]:
    if survey is None:
        return
    for row in rows:
        if row.action != "keep" and not survey.get(row.node, {}).get("train", 0):
            text = f"`{row.node}` ({row.action}) has no labelled pixel in the train split, so nothing can teach it"
            yield PlanWarning("no-pixels", row.node, text)


def _unsure(found: Alignments, crosswalk: Crosswalk) -> Iterator[PlanWarning]:
    """Rows that rest on lines which their author was not sure of."""
    doubtful = {
        entry.source: entry.confidence
        for entry in crosswalk.entries
        if entry.confidence is not None and entry.confidence < _UNSURE
    }
    for entry in found.entries:
        for id_ in (entry.node, *entry.aligned):
            if entry.reason == "crosswalk" and id_ in doubtful and doubtful[id_] is not None:
                text = f"`{entry.node}` rests on the line `{id_}` of {crosswalk.id}, of confidence {doubtful[id_]:g}"
                yield PlanWarning("unsure", entry.node, text)
                break


def pixels_by_node(taxonomy: Taxonomy, by_class: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Labelled pixels of every predicted class by split, from those of every label: `{split: {label: pixels}}`.

    A label counts for the deepest class that holds all it allows, and for the classes above that one.
    """
    found: dict[str, dict[str, int]] = {node.id: {} for node in taxonomy.predicted}
    for split, labels in by_class.items():
        if split not in ("train", "val", "test"):
            continue
        for label, pixels in labels.items():
            for id_ in _held(taxonomy, label):
                found[id_][split] = found[id_].get(split, 0) + pixels
    return found


def _held(taxonomy: Taxonomy, label: str) -> tuple[str, ...]:
    if label not in taxonomy:
        return ()
    leaves = list(taxonomy.allowed(label))
    if not leaves:
        return ()
    common: str | None = label if label in taxonomy._predicted_ids else leaves[0]
    for leaf in leaves:
        common = None if common is None else taxonomy.lca(common, leaf)
    return () if common is None else taxonomy.path(common)
