"""A plan read back from its document, checked against the two trees: every problem at its place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from types import MappingProxyType
from typing import TypeVar

from hieratk.diagnostics import Findings, Problem, Source
from hieratk.diagnostics.findings import RuleHead
from hieratk.documents import Mapping, Scalar, Sequence, Value, compose
from hieratk.taxonomy.tree import Node, Taxonomy
from hieratk.transfer.document import FORMAT
from hieratk.transfer.plan import (
    ACTIONS,
    FROZEN,
    REASONS,
    RELATIONS,
    PlanRow,
    PlanWarning,
    TransferPlan,
    TreeRef,
)

RULES = {
    "Q001": RuleHead("plan-shape", "error"),
    "Q002": RuleHead("unknown-class", "error"),
    "Q003": RuleHead("class-without-row", "error"),
    "Q004": RuleHead("weights", "error"),
    "Q005": RuleHead("other-tree", "error"),
    "Q006": RuleHead("contradictory-row", "error"),
}
"""What can be wrong with a plan (docs/transfer.md)."""

_DOCUMENT = ("hieratk", "from", "to", "notes", "warnings", "frozen", "rows", "dropped", "needs")
_ROW = ("action", "relation", "aligned", "start", "noise", "reason", "guessed", "flags", "evidence")
_SPLITS = ("train", "val", "test")
_TOLERANCE = 1e-3

_Word = TypeVar("_Word", bound=str)


def read(text: Source, source: Taxonomy, target: Taxonomy) -> tuple[TransferPlan | None, list[Problem]]:
    """The plan of a document between two trees, or None and what is wrong with it: rules Y (text) and Q (plans).

    Weights that sum to 1 but for rounding are brought to a sum of exactly 1.
    """
    document, problems = compose(text)
    if document is None or any(problem.severity == "error" for problem in problems):
        return None, problems
    reader = _Reader(text, source, target)
    plan = reader.document(document)
    problems = sorted([*problems, *reader.findings.problems()], key=lambda problem: problem.span)
    return (None if reader.findings.errors else plan), problems


class _Reader:
    """One document being read."""

    def __init__(self, text: Source, source: Taxonomy, target: Taxonomy) -> None:
        self.findings = Findings(text, RULES)
        self.source = source
        self.target = target

    def document(self, document: Value) -> TransferPlan | None:
        first = document.entries[0] if isinstance(document, Mapping) and document.entries else None
        if first is None or first[0].text != "hieratk" or getattr(first[1], "text", None) != FORMAT:
            span = document.span if first is None else first[0].span
            self.findings.add("Q001", span, "this is no transfer plan", help=f"the first line is `hieratk: {FORMAT}`")
            return None
        parts = self._fields(document, _DOCUMENT, "a plan")
        for key in ("from", "to", "rows"):
            if key not in parts and key not in getattr(document, "lost", ()):
                self.findings.add("Q001", first[0].span, f"the plan has no `{key}`")
        self._tree(parts.get("from"), self.source)
        self._tree(parts.get("to"), self.target)
        rows = self._rows(parts.get("rows"))
        if self.findings.errors:
            return None
        counted = self._needs(parts.get("needs"))
        plan = TransferPlan(
            TreeRef.of(self.source), TreeRef.of(self.target), rows,
            dropped=self._classes(parts.get("dropped"), self.source),
            frozen=self._words(parts.get("frozen"), FROZEN, "part") if "frozen" in parts else FROZEN,
            needs=MappingProxyType({row.node: counted.get(row.node) for row in rows if row.action != "keep"}),
            warnings=self._warnings(parts.get("warnings")), notes=self._texts(parts.get("notes")),
        )  # fmt: skip
        return None if self.findings.errors else plan

    def _fields(self, value: Value | None, known: Iterable[str], what: str) -> dict[str, Value]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.findings.add("Q001", value.span, f"{what} is a mapping, `key: value`")
            return {}
        found = {}
        for key, item in value.entries:
            if key.text in known:
                found[key.text] = item
            else:
                hint = self.findings.did_you_mean(key.text, known)
                self.findings.add("Q001", key.span, f"{what} has no key `{key.text}`", help=hint)
        return found

    def _tree(self, value: Value | None, tree: Taxonomy) -> None:
        parts = self._fields(value, ("taxonomy", "version", "fingerprint"), "the reference to a tree")
        stated, name = parts.get("fingerprint"), parts.get("taxonomy")
        if value is None:
            return
        if isinstance(name, Scalar) and name.text != tree.id:
            text = f"the plan is for `{name.text}`, and the tree given here is `{tree.id}`"
            self.findings.add("Q005", name.span, text, help="give the trees that it was made for, or make it again")
        elif not isinstance(stated, Scalar):
            self.findings.add("Q001", value.span, "the reference to a tree has no `fingerprint`")
        elif stated.text != tree.fingerprint:
            text = f"the plan was made for another version of `{tree.id}`: its classes or their order have changed"
            note = f"the tree given here is {tree.version} with the fingerprint {tree.fingerprint}"
            help_ = "make the plan again with `hieratk transfer --from ... --to ...`"
            self.findings.add("Q005", stated.span, text, notes=(note,), help=help_)

    def _rows(self, value: Value | None) -> tuple[PlanRow, ...]:
        if value is None:
            return ()
        if not isinstance(value, Mapping):
            self.findings.add("Q001", value.span, "`rows` is a mapping from classes of the target to their rows")
            return ()
        rows: dict[str, PlanRow] = {}
        for key, item in value.entries:
            node = self._class(key, self.target)
            row = self._row(node or Node(key.text, 0), key, item)
            if node is not None and row is not None:
                rows[node.id] = row
        if not self.findings.errors:
            missing = [node.id for node in self.target.predicted if node.id not in rows]
            if missing:
                listed = ", ".join(f"`{id_}`" for id_ in missing[:5])
                more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
                name = value.entries[0][0].span if value.entries else value.span
                help_ = "give each a row, `{action: new, relation: none}` at least"
                self.findings.add("Q003", name, f"no row for {listed}{more}", help=help_)
        return tuple(rows[node.id] for node in self.target.predicted if node.id in rows)

    def _row(self, node: Node, key: Scalar, value: Value) -> PlanRow | None:
        before = self.findings.errors
        parts = self._fields(value, _ROW, "a row")
        for needed in ("action", "relation"):
            if isinstance(value, Mapping) and needed not in parts and needed not in value.lost:
                self.findings.add("Q001", key.span, f"the row of `{key.text}` has no `{needed}`")
        row = PlanRow(
            node.id, node.level,
            self._word(parts.get("action"), ACTIONS, "action", "new"),
            self._word(parts.get("relation"), RELATIONS, "relation", "none"),
            self._classes(parts.get("aligned"), self.source), self._start(parts.get("start")),
            self._number(parts.get("noise")), node.parent,
            self._word(parts.get("reason"), REASONS, "reason", "none"),
            self._text(parts.get("evidence")), self._truth(parts.get("guessed")), self._texts(parts.get("flags")),
        )  # fmt: skip
        if self.findings.errors > before:
            return None
        self._check(row, parts.get("action") or key)
        return row

    def _check(self, row: PlanRow, place: Value) -> None:
        """A row that says two things at once."""
        names = ", ".join(f"`{id_}`" for id_, _ in row.start)
        if row.action == "keep" and len(row.start) != 1:
            text = f"`{row.node}` is to keep a row, and starts from {names or 'none'}"
            self.findings.add("Q006", place.span, text, help="name one class in `start`, or say split, merge or new")
        elif row.action == "keep" and row.noise:
            text = f"`{row.node}` is to keep its row, and noise of {row.noise:g} would change it"
            self.findings.add("Q006", place.span, text, help="leave out `noise`, or say split")
        elif row.action in ("split", "merge") and not row.start:
            text = f"`{row.node}` is to {row.action} rows, and `start` names none"
            self.findings.add("Q006", place.span, text, help="name them in `start`, or say new")
        if (row.relation == "none") != (not row.aligned):
            what = "names no class" if not row.aligned else "names classes"
            text = f"the relation of `{row.node}` is `{row.relation}`, and `aligned` {what}"
            self.findings.add("Q006", place.span, text, help="a relation other than `none` is one to named classes")

    def _start(self, value: Value | None) -> tuple[tuple[str, float], ...]:
        if value is None:
            return ()
        if not isinstance(value, Mapping):
            self.findings.add("Q001", value.span, "`start` gives classes of the source their weights: {rice: 0.5, ...}")
            return ()
        found = []
        for key, item in value.entries:
            node, weight = self._class(key, self.source), self._number(item)
            if node is not None:
                found.append((node.id, weight))
        total = math.fsum(weight for _, weight in found)
        if self.findings.errors == 0 and abs(total - 1) > _TOLERANCE:
            text = f"the weights sum to {total:g}, not to 1"
            self.findings.add("Q004", value.span, text, label=" + ".join(f"{weight:g}" for _, weight in found))
        if 0 < abs(total - 1) <= _TOLERANCE:
            found = [(id_, weight / total) for id_, weight in found]
        return tuple(found)

    def _number(self, value: Value | None) -> float:
        if value is None:
            return 0.0
        try:
            number = float(value.text) if isinstance(value, Scalar) else math.nan
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or number < 0:
            shown = f"`{value.text}`" if isinstance(value, Scalar) else "this"
            self.findings.add("Q004", value.span, f"{shown} is no number of 0 or more")
            return 0.0
        return number

    def _class(self, key: Scalar, tree: Taxonomy) -> Node | None:
        if key.text in tree._predicted_ids:
            return tree[key.text]
        if key.text in tree:
            text = f"`{key.text}` of {tree.id} is never predicted (it is {tree[key.text].kind} or deprecated)"
            self.findings.add("Q002", key.span, text)
        else:
            hint = self.findings.did_you_mean(key.text, [node.id for node in tree.predicted])
            self.findings.add("Q002", key.span, f"{tree.id} has no class `{key.text}`", help=hint)
        return None

    def _classes(self, value: Value | None, tree: Taxonomy) -> tuple[str, ...]:
        nodes = [self._class(item, tree) for item in self._scalars(value)]
        return tuple(node.id for node in nodes if node is not None)

    def _word(self, value: Value | None, words: tuple[_Word, ...], what: str, default: _Word) -> _Word:
        if value is None:
            return default
        for word in words:
            if isinstance(value, Scalar) and value.text == word:
                return word
        shown = f"`{value.text}`" if isinstance(value, Scalar) else "a list or mapping"
        hint = self.findings.did_you_mean(value.text, words) if isinstance(value, Scalar) else ""
        self.findings.add("Q001", value.span, f"{shown} is no {what}", help=hint or f"say one of {', '.join(words)}")
        return default

    def _words(self, value: Value | None, words: tuple[str, ...], what: str) -> tuple[str, ...]:
        return tuple(self._word(item, words, what, words[0]) for item in self._scalars(value))

    def _scalars(self, value: Value | None) -> list[Scalar]:
        if value is None or (isinstance(value, Scalar) and value.empty):
            return []
        items = value.items if isinstance(value, Sequence) else (value,)
        wrong = next((item for item in items if not isinstance(item, Scalar)), None)
        if wrong is not None:
            self.findings.add("Q001", wrong.span, "this is a list of words: [one, another]")
        return [item for item in items if isinstance(item, Scalar)]

    def _texts(self, value: Value | None) -> tuple[str, ...]:
        return tuple(item.text for item in self._scalars(value))

    def _text(self, value: Value | None) -> str:
        return next(iter(self._texts(value)), "")

    def _truth(self, value: Value | None) -> bool:
        return self._word(value, ("true", "false"), "truth value", "false") == "true"

    def _warnings(self, value: Value | None) -> tuple[PlanWarning, ...]:
        found = []
        for item in value.items if isinstance(value, Sequence) else ():
            parts = self._fields(item, ("code", "class", "message"), "a warning")
            node = self._text(parts.get("class")) or None
            found.append(PlanWarning(self._text(parts.get("code")), node, self._text(parts.get("message"))))
        return tuple(found)

    def _needs(self, value: Value | None) -> dict[str, MappingProxyType[str, int]]:
        found = {}
        for key, item in value.entries if isinstance(value, Mapping) else ():
            parts = self._fields(item, _SPLITS, "a count of pixels")
            node = self._class(key, self.target)
            if node is not None:
                found[node.id] = MappingProxyType({split: int(self._number(part)) for split, part in parts.items()})
        return found
