"""Trees that grow from another one: the base is found, read and taken over into a draft (rules T112, T602 to T607).

Places in the text of the base are made with `Findings.elsewhere`: every rule then sees one tree, and what is wrong with
the base alone is not said again here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hieratk.diagnostics import Edit, Findings, Fix, Span, nearest
from hieratk.documents import Mapping, Scalar, Sequence, Value, read_source
from hieratk.taxonomy.bases import Found, find
from hieratk.taxonomy.draft import Base, Details, Draft, EncodingDraft, Entry, Pixels, SpecialDraft
from hieratk.taxonomy.outline import Outline, lose
from hieratk.taxonomy.spec import DTYPE_RANGES

LONGEST_CHAIN = 8
"""How many taxonomies may stand below one another by extension. (chosen)"""

_LOCKED = frozenset({"code", "kind", "parts", "pixel", "level", "also", "regions", "since", "deprecated"})


def grow(draft: Draft, extends: Details, findings: Findings, above: tuple[Path, ...]) -> bool:
    """Take the base of a document over into its draft, which is empty so far; False where there is none to be had.

    `above` holds the files that led here by extension, the first one first.
    """
    word, span = extends.get("taxonomy"), extends.span("taxonomy")
    if word is None:
        return False
    name = findings.source.name
    if not above and not name.startswith("<"):
        above = (Path(name).resolve(),)
    found = find(word, name, above)
    if not isinstance(found, Found):
        findings.add(found.code, span, found.message, notes=found.notes, help=found.help)
        return False
    base = _read(found, span, findings, above)
    if base is None:
        return False
    _take_over(draft, base, found, findings)
    assert draft.base is not None
    _version(draft.base, extends, findings)
    return True


def _read(found: Found, span: Span, findings: Findings, above: tuple[Path, ...]) -> Draft | None:
    # The rules read documents and documents with a base need the rules: imported when a base is there.
    from hieratk.taxonomy.checking import check

    chain = (*above, found.path.resolve())
    if len(chain) > LONGEST_CHAIN:
        findings.add("T604", span, f"more than {LONGEST_CHAIN} taxonomies extend one another")
        return None
    source, problems = read_source(found.path)
    draft = None
    if not problems:
        checked = check(source, above=chain)
        problems, draft = checked.problems, checked.draft
    if draft is not None:
        return draft
    errors = [problem for problem in problems if problem.severity == "error"]
    circle = next((problem for problem in errors if problem.code == "T604"), None)
    if circle is not None:
        findings.add("T604", span, circle.message, help=circle.help)
        return None
    count = sum(1 + problem.more for problem in errors)
    findings.add(
        "T602",
        span,
        f"`{found.word}` has {count} error{'s' if count > 1 else ''} of its own",
        help=f"`hieratk taxonomy validate {found.shown}` shows what is wrong with it",
    )
    return None


def _version(base: Base, extends: Details, findings: Findings) -> None:
    wanted = extends.get("version")
    if wanted is None:
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    span = extends.span("version")
    try:
        fits = SpecifierSet(wanted).contains(base.version, prereleases=True)
    except InvalidSpecifier:
        findings.add("S007", span, f"`{wanted}` is not a range of versions", help='such as ">=1.0,<2"')
        return
    if not fits:
        findings.add(
            "T603",
            span,
            f"`{base.id}` has version {base.version}, which is not in the range `{wanted}`",
            help="see what has changed in it, then write the range that fits",
        )


def _take_over(draft: Draft, base: Draft, found: Found, findings: Findings) -> None:
    head, file = base.head, found.path.name
    id_ = head.get("id") or file.partition(".")[0]
    version, lang = head.get("version") or "0.0.0", head.get("lang") or "en"
    draft.base = Base(id_, version, head.get("license"), lang, found.shown)
    for entry in base.entries:
        place = findings.elsewhere(f"`{entry.id}` comes from {file}")
        details = None if entry.details is None else _details(entry.details, place)
        pixels = [Pixels(low, high, place) for low, high, _ in entry.pixels]
        key, children = Scalar(entry.id, place), list(entry.children)
        draft.at[entry.id] = len(draft.entries)
        draft.entries.append(Entry(entry.id, key, entry.parent, entry.depth, children, pixels, details))
        if details is not None:
            draft.classes.append(details)
    for special in base.special:
        place = findings.elsewhere(f"`{special.id}` comes from {file}")
        pixels = [Pixels(low, high, place) for low, high, _ in special.pixels]
        details = _details(special.details, place)
        draft.special.append(SpecialDraft(special.id, Scalar(special.id, place), details, pixels))
    for encoding in base.encodings:
        place = findings.elsewhere(f"encoding `{encoding.name}` comes from {file}")
        details = _details(encoding.details, place)
        draft.encodings.append(EncodingDraft(encoding.name, details.key, details, details.get("values") or []))
    for name, attribute in base.attributes.items():
        draft.attributes[name] = _details(attribute, findings.elsewhere(f"attribute `{name}` comes from {file}"))
    if base.levels:
        place = findings.elsewhere(f"the levels come from {file}")
        draft.levels = [Scalar(level.text, place) for level in base.levels]
        draft.head.keys["levels"] = Scalar("levels", place)


def _details(details: Details, place: Span) -> Details:
    return Details(
        Scalar(details.key.text, place),
        {name: _typed(name, value, place) for name, value in details.typed.items()},
        {name: _value(value, place) for name, value in details.raw.items()},
        {name: Scalar(name, place) for name in details.keys},
    )


def _typed(name: str, value: Any, place: Span) -> Any:
    """What was meant, with its places moved where it has any."""
    match name:
        case "pixel":
            return [Pixels(low, high, place) for low, high, _ in value]
        case "values" if isinstance(value, list):
            return [(Pixels(low, high, place), Scalar(word.text, place)) for (low, high, _), word in value]
        case "attrs":
            return {
                key: (Scalar(key, place), Scalar(item.text, place, item.quoted)) for key, (_, item) in value.items()
            }
        case "deprecated":
            return _details(value, place)
    return value


def _value(value: Value, place: Span) -> Value:
    if isinstance(value, Scalar):
        return Scalar(value.text, place, value.quoted)
    if isinstance(value, Sequence):
        return Sequence(tuple(_value(item, place) for item in value.items), place, value.flow)
    entries = tuple((Scalar(key.text, place, key.quoted), _value(item, place)) for key, item in value.entries)
    return Mapping(entries, place, value.flow, value.lost)


def may_extend(draft: Draft, value: Value, key: Scalar, findings: Findings) -> bool:
    """Whether the document says what it extends."""
    if "extends" in draft.head.raw:
        return True
    way = 'say what is extended: extends: {taxonomy: lclu, version: ">=1.0,<2"}'
    findings.add("S009", key.span, "`extend` needs `extends`", help=way)
    lose(draft, value)
    return False


def hang(draft: Draft, extend: Mapping, outline: Outline) -> None:
    """Hang outlines below classes of the base, new children behind the old ones."""
    draft.lost.update(extend.lost)
    for name, content in extend.entries:
        entry = draft.entry(name.text)
        if draft.base is not None and (entry is None or not entry.inherited):
            _unknown(draft, draft.base, name, entry, outline.fields.findings)
            lose(draft, content)
        elif not isinstance(content, Mapping):
            outline.fields.say.wrong_shape(content, name, "a mapping of classes")
        elif entry is None:
            # Without its base, what is hung somewhere is read for its own faults.
            outline.read(draft, content)
        else:
            outline.read(draft, content, below=draft.at[entry.id], deep=entry.depth + 1)
    _order(draft)


def _unknown(draft: Draft, base: Base, name: Scalar, own: Entry | None, findings: Findings) -> None:
    message = f"`{base.id}` has no class `{name.text}` to extend"
    if own is not None:
        way = "write the classes below it where it stands"
        findings.add("T605", name.span, message, related=[(own.key.span, "a class of this file")], help=way)
        return
    if any(special.id == name.text for special in draft.special):
        findings.add("T605", name.span, message, label="a special value, not a class")
        return
    words = {word: id_ for word, id_ in draft.words().items() if draft.entries[draft.at[id_]].inherited}
    meant = findings.suggest(name.text, words, meaning=words)
    findings.add(
        "T605",
        name.span,
        message,
        label="unknown class",
        help=f"did you mean {' or '.join(f'`{id_}`' for id_ in meant)}?" if meant else _classes_of(base),
        fix=Fix("unsafe", (Edit(name.span, meant[0]),)) if meant else None,
    )
    # A line about it under `classes` is the same mistake.
    draft.lost.add(name.text)


def _classes_of(base: Base) -> str:
    return f"`hieratk taxonomy show {base.shown}` prints its classes"


def check_head(draft: Draft, findings: Findings) -> None:
    """What an extension says as a whole: no `tree`, and the language of its base."""
    head, base = draft.head, draft.base
    if "tree" in head.keys:
        way = "hang the classes below those of the base: `extend: {class: {...}}`"
        findings.add("S009", head.keys["tree"].span, "`tree` and `extends` exclude one another", help=way)
    if base is None:
        return
    lang = head.typed.setdefault("lang", base.lang)
    if lang != base.lang:
        findings.add(
            "S009",
            head.span("lang"),
            f"`lang` is {lang}, but the names of `{base.id}` are {base.lang}",
            help="leave it out, and give names in another language as `labels`",
        )


def _order(draft: Draft) -> None:
    """Bring entries that were hung below others into depth-first order; new children stand behind the old ones."""
    order: list[int] = []
    stack = [index for index in reversed(range(len(draft.entries))) if draft.entries[index].parent < 0]
    while stack:
        index = stack.pop()
        order.append(index)
        stack.extend(reversed(draft.entries[index].children))
    now = {old: new for new, old in enumerate(order)}
    draft.entries = [draft.entries[index] for index in order]
    for entry in draft.entries:
        entry.parent = now.get(entry.parent, -1)
        entry.children = [now[child] for child in entry.children]
    draft.at = {entry.id: index for index, entry in enumerate(draft.entries)}


def add_to_class(entry: Entry, more: Details, base: Base, findings: Findings) -> Details:
    """What base and extension say about a class of the base together; the extension wins for single texts."""
    for name, key in more.keys.items():
        if name in _LOCKED:
            way = "leave it out here; where it is wrong, it is wrong in the base"
            findings.add("T607", key.span, f"`{name}` of `{entry.id}` is fixed by `{base.id}`", help=way)
    allowed = [name for name in more.raw if name not in _LOCKED]
    before = entry.details or Details(entry.key)
    typed, raw = dict(before.typed), dict(before.raw)
    for name in allowed:
        old, new = before.raw.get(name), more.raw[name]
        raw[name] = new
        if name not in more.typed:
            continue
        value = more.typed[name]
        if name == "synonyms" and isinstance(old, Sequence) and isinstance(new, Sequence):
            raw[name] = Sequence((*old.items, *new.items), new.span, new.flow)
            value = tuple(dict.fromkeys((*before.typed.get(name, ()), *value)))
        elif name in ("labels", "attrs", "meta") and isinstance(old, Mapping) and isinstance(new, Mapping):
            said = {key.text for key, _ in new.entries}
            kept = tuple((key, item) for key, item in old.entries if key.text not in said)
            raw[name] = Mapping((*kept, *new.entries), new.span, new.flow)
            value = {**before.typed.get(name, {}), **value}
        typed[name] = value
    keys = {**before.keys, **{name: more.keys[name] for name in allowed}}
    return Details(more.key, typed, raw, keys)


def add_to_encoding(before: EncodingDraft, more: Details, base: Base, findings: Findings) -> EncodingDraft:
    """An encoding of the base with further values, and with a wider type where they need one."""
    typed, raw, keys = dict(before.details.typed), dict(before.details.raw), dict(before.details.keys)
    for name in ("dtype", "nodata", "level", "about"):
        old, new = before.details.get(name), more.get(name)
        if new is None or new == old:
            continue
        if name == "dtype" and old is not None:
            (low, high), (lowest, highest) = DTYPE_RANGES[old], DTYPE_RANGES[new]
            fixed = low < lowest or high > highest
        else:
            fixed = old is not None and name != "about"
        if fixed:
            way = f"a wider type than {old} may be given" if name == "dtype" else ""
            message = f"`{name}` of encoding `{before.name}` is fixed by `{base.id}`"
            findings.add("T607", more.keys[name].span, message, help=way)
            continue
        typed[name], raw[name], keys[name] = new, more.raw[name], more.keys[name]
    values = [*before.values, *(more.get("values") or [])]
    return EncodingDraft(before.name, more.key, Details(more.key, typed, raw, keys), values)


def same_attribute(before: Details, again: Details, base: Base, findings: Findings) -> None:
    """An attribute of the base may be declared again, as it is there."""
    for name, value in again.typed.items():
        if before.get(name) != value:
            findings.add(
                "T607",
                again.keys[name].span,
                f"`{name}` of attribute `{again.key.text}` is fixed by `{base.id}`",
                help="leave the attribute out, it is inherited, or take another name for yours",
            )


def levels(draft: Draft, names: dict[str, Scalar], value: Sequence, findings: Findings) -> list[Scalar]:
    """The levels of an extension: those of the base, then its own."""
    wanted = [level.text for level in draft.levels]
    own = list(names)
    if own[: len(wanted)] == wanted or "levels" in draft.lost:
        return list(names.values())
    assert draft.base is not None
    shared = [name for name in own if name in wanted]
    misspelt = [name for name, right in zip(own, wanted, strict=False) if name not in wanted and nearest(name, [right])]
    further = [name for name in own if name not in wanted and name not in misspelt]
    right = [*wanted, *further]
    fix = None
    if (
        value.flow
        and [name for name in wanted if name in shared] == shared
        and own[len(own) - len(further) :] == further
    ):
        # Meaning as written is kept where levels were left out only.
        fix = Fix("unsafe" if misspelt else "safe", (Edit(value.span, f"[{', '.join(right)}]"),))
    at = next(index for index, name in enumerate(wanted) if index >= len(own) or own[index] != name)
    span = names[own[at]].span if at < len(own) else value.span
    findings.add(
        "T112",
        span,
        f"the levels of an extension begin with those of its base: `{draft.base.id}` has {', '.join(wanted)}",
        help=f"write levels: [{', '.join(right)}]" if fix is not None else "",
        fix=fix,
    )
    draft.lost.add("levels")
    return [*draft.levels, *(names[name] for name in further)]
