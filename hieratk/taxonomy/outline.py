"""Outlines to classes: the keys of `tree` and `extend`, their order and their raster values."""

from __future__ import annotations

from hieratk.documents import Mapping, Scalar, Value, as_word
from hieratk.taxonomy.draft import Draft, Entry
from hieratk.taxonomy.fields import Fields


class Outline:
    """Reads outlines into a draft. `seen` holds every id of the document and where it was used first."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.report = fields.findings.add
        self.seen: dict[str, Scalar] = {}

    def read(self, draft: Draft, outline: Mapping, *, below: int = -1, deep: int = 0) -> None:
        """Take an outline over, below the class at a position (-1: at the top) and from a depth on."""
        entries, at, seen, fields = draft.entries, draft.at, self.seen, self.fields
        stack: list[tuple[Mapping, int, int, int]] = [(outline, 0, below, deep)]
        while stack:
            mapping, position, parent, depth = stack.pop()
            if position == 0 and mapping.lost:
                draft.lost.update(mapping.lost)
                if parent >= 0:
                    entries[parent].unreadable = True
            items = mapping.entries
            while position < len(items):
                name, content = items[position]
                position += 1
                id_ = name.text
                first = seen.setdefault(id_, name)
                if first is not name:
                    self.used_again(draft, id_, first, name)
                    # The second one is left out, and with it whatever stands below it.
                    lose(draft, content)
                    if parent >= 0:
                        entries[parent].unreadable = True
                    continue
                if not name.quoted and (seen_as := as_word(id_)):
                    self.report(
                        "T006",
                        name.span,
                        f"unquoted `{id_}` is not text to every YAML reader",
                        label=seen_as,
                        help="take another id",
                    )
                fields.good_id(name, id_, "id")
                index = len(entries)
                entry = Entry(id_, name, parent, depth)
                entries.append(entry)
                at[id_] = index
                if parent >= 0:
                    entries[parent].children.append(index)
                if type(content) is Mapping:
                    if content.entries:
                        stack.append((mapping, position, parent, depth))
                        stack.append((content, 0, index, depth + 1))
                        break
                    entry.unreadable = bool(content.lost)
                    draft.lost.update(content.lost)
                elif not (type(content) is Scalar and content.empty):
                    found = fields.pixel(content, name)
                    entry.unreadable = found is None
                    entry.pixels = found or []

    def used_again(self, draft: Draft, id_: str, first: Scalar, again: Scalar) -> None:
        """Report an id that stands for something already."""
        if first.span.start < 0 and draft.base is not None:
            way = f"hang classes below it: `extend: {{{id_}: ...}}`" if id_ in draft.at else "it is inherited as it is"
            what = "class" if id_ in draft.at else "special value"
            self.report(
                "T606",
                again.span,
                f"`{id_}` is a {what} of `{draft.base.id}` and cannot be declared again",
                help=way,
            )
            return
        self.report(
            "T001",
            again.span,
            f"class id `{id_}` is already used",
            label="used again here",
            related=[(first.span, "first used here")],
            help="ids are unique in the whole taxonomy, not only among siblings",
        )


def lose(draft: Draft, content: Value) -> None:
    """Note every id below a class that is left out, so that references to it raise nothing."""
    stack = [content]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            for name, inner in value.entries:
                if name.text not in draft.at:
                    draft.lost.add(name.text)
                stack.append(inner)
