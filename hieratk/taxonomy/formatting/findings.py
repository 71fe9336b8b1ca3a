"""What formatting would change, as findings of the rules F, each at its place."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from hieratk.diagnostics import Edit, Findings, Fix, Problem, RuleHead, Source, Span
from hieratk.documents import Mapping, Scalar
from hieratk.taxonomy.formatting.layout import Entry, Group, Text
from hieratk.taxonomy.formatting.places import Place
from hieratk.taxonomy.rulebook.formats import RULES

_COMPARED = 2000
_FORMAT = "`hieratk taxonomy fmt` puts it right"


def find(source: Source, given: Source, root: Group, written: str, place: Place) -> list[Problem]:
    """The findings about a text; none exactly where nothing would change. `root` has been printed."""
    if given.text == written:
        return []
    work = _Finding(source, edits=source.text == given.text)
    work.order(root, f"the {place.name}")
    work.group(root)
    work.lines(written)
    if not work.findings.problems():
        work.rest(written)
    return work.findings.problems()


class _Finding:
    def __init__(self, source: Source, *, edits: bool) -> None:
        self.source = source
        self.findings = Findings(source, {rule.code: RuleHead(rule.name, rule.severity) for rule in RULES})
        self.edits = edits
        self.rows: set[int] = set()

    def add(self, code: str, span: Span, message: str, content: str | None = None) -> None:
        """Report; with `content`, the edit that puts it right."""
        fix = Fix("safe", (Edit(span, content),)) if content is not None and self.edits else None
        first, _ = self.source.position(span.start)
        last, _ = self.source.position(span.end)
        self.rows.update(range(first, last + 1))
        way = _FORMAT if content is None or not content.strip() else f"write {content}"
        self.findings.add(code, span, message, help=way, fix=fix)

    def order(self, root: Group, name: str) -> None:
        """F001: keys in the order of the notation."""
        for group, title in _groups(root, name):
            starts = [
                (entry.written[0].span.start, entry) for entry in group.entries if entry.written and entry.written[0]
            ]
            latest = -1
            for start, entry in starts:
                if start < latest and entry.key is not None and entry.written and entry.written[0]:
                    later = next(other for begin, other in starts if begin > start and other.key is not None)
                    after = f"`{entry.key.said}` stands before `{later.key.said if later.key else ''}` in {title}"
                    self.add("F001", entry.written[0].span, after)
                    self.rows.update(self._rows_of(group))
                    break
                latest = max(latest, start)

    def _rows_of(self, group: Group) -> range:
        written = [entry.written for entry in group.entries if entry.written]
        first = min((key or value).span.start for key, value in written)
        last = max(value.span.end for _, value in written)
        return range(self.source.position(first)[0], self.source.position(last)[0] + 1)

    def group(self, group: Group) -> None:
        """F002, F003, F004 and F006 below a group."""
        for entry in group.entries:
            key, value = entry.written or (None, None)
            if key is not None and entry.key is not None:
                self.scalar(key, entry.key, inside=group.flowed)
            if isinstance(value, Scalar) and isinstance(entry.value, Text):
                self.scalar(value, entry.value, inside=group.flowed)
            elif isinstance(entry.value, Group) and value is not None:
                if group.flowed:
                    _mark(entry.value)
                self.form(entry, outer=group.flowed)
                self.group(entry.value)
            if group.aligned:
                self.aligned(entry)

    def scalar(self, value: Scalar, laid: Text, *, inside: bool) -> None:
        """F002, F003: quotes, and colours."""
        shown = self.source.text[value.span.start : value.span.end]
        wanted = laid.flow if inside else laid.block
        if laid.tail or "\n" in shown or shown == wanted or (value.quoted and shown[0] in "|>"):
            return
        if value.text != laid.said:
            self.add("F003", value.span, f"colour `{value.text}` is not written in lower case", wanted)
        elif wanted.startswith('"'):
            what = f"{shown} has other quotes than double ones" if value.quoted else f"`{shown}` needs quotes"
            self.add("F002", value.span, what, wanted)
        else:
            self.add("F002", value.span, f"{shown} needs no quotes", wanted)

    def form(self, entry: Entry, *, outer: bool) -> None:
        """F004: one line, or a line for each entry."""
        key, value = entry.written or (None, None)
        group = entry.value
        if value is None or isinstance(value, Scalar) or not isinstance(group, Group) or not group.entries:
            return
        rows = self.source.text.count("\n", value.span.start, value.span.end) > 0
        place = key.span if key is not None else Span(value.span.start, value.span.start + 1)
        what = f"`{key.text}`" if key is not None else "the entry"
        if group.flowed and not outer and (not value.flow or rows):
            self.add("F004", place, f"{what} fits on one line")
        elif not group.flowed and value.flow:
            self.add("F004", place, f"{what} takes a line for each of its entries")
        else:
            return
        self.rows.update(range(self.source.position(place.start)[0], self.source.position(value.span.end)[0] + 1))

    def aligned(self, entry: Entry) -> None:
        """F006: one-line neighbours begin in one column."""
        key, value = entry.written or (None, None)
        if (
            key is None
            or not isinstance(value, Mapping)
            or not isinstance(entry.value, Group)
            or not entry.value.flowed
        ):
            return
        gap = self.source.text[key.span.end + 1 : value.span.start]
        if not value.flow or gap.strip(" ") or len(gap) == entry.gap:
            return
        if self.source.position(key.span.start)[1] - 1 != entry.indent:
            return
        span = Span(key.span.end + 1, value.span.start)
        self.add("F006", span, f"`{key.text}` is not aligned with its neighbours", " " * entry.gap)

    def lines(self, written: str) -> None:
        """F005: what else differs between the lines of both texts."""
        old, new = self.source.text.split("\n"), written.split("\n")
        if source_is_long := len(old) > _COMPARED:
            # Comparing takes the square of the rows; of a rule only so many findings are listed in any case.
            old, new = old[:_COMPARED], new[:_COMPARED]
        changes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        for tag, first, last, low, high in changes[:-1] if source_is_long else changes:
            if tag == "equal":
                continue
            if first == last and first < len(old) and first + 1 not in self.rows:
                self._line(first + 1, "", new[low:high], inserted=True)
            for row in range(first, last):
                if row + 1 not in self.rows:
                    self._line(row + 1, old[row], new[low:high], inserted=False)

    def rest(self, written: str) -> None:
        """F005 where nothing else was found: the first row that differs, or how the text is stored."""
        pairs = zip(self.source.text.split("\n"), written.split("\n"), strict=False)
        row = next((number for number, (one, other) in enumerate(pairs, 1) if one != other), 0)
        if row:
            self._line(row, self.source.line(row), [], inserted=False)
        else:
            self.add("F005", Span(0, 0), "line breaks are not LF, or a byte-order mark begins the text")

    def _line(self, row: int, line: str, new: list[str], *, inserted: bool) -> None:
        start = self.source.row_start(row)
        blanks = len(line) - len(line.lstrip(" \t"))
        bare = line.strip(" \t")
        span = Span(start, start + max(blanks, 1 if bare else 0))
        same = next((other for other in new if other.split() == bare.split()), None)
        if inserted or not bare:
            last = row >= self.source.rows - 1
            message = "the text ends with one line break" if last else "one blank line at most stands between entries"
        elif same is not None and len(same) - len(same.lstrip(" ")) != blanks:
            message = f"the line is indented by {blanks}, not by {len(same) - len(same.lstrip(' '))}"
        elif line != line.rstrip():
            message, span = "the line ends with blanks", Span(start + len(line.rstrip()), start + len(line))
        else:
            message, span = "the line has blanks where none belong", Span(start + blanks, start + len(line))
        self.add("F005", span, message)


def _mark(group: Group) -> None:
    group.flowed = True


def _groups(group: Group, title: str) -> Iterator[tuple[Group, str]]:
    yield group, title
    for entry in group.entries:
        if isinstance(entry.value, Group):
            yield from _groups(entry.value, f"`{entry.key.said}`" if entry.key is not None else title)
