"""A concept scheme to the rows of a tree."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from hieratk.diagnostics import Source
from hieratk.errors import ExchangeError
from hieratk.exchange.building import is_id
from hieratk.exchange.counting import number, some
from hieratk.exchange.records import Found, Row
from hieratk.exchange.skos import OWN
from hieratk.exchange.skos_graph import TYPE, Graph
from hieratk.exchange.sources import color_of, integer
from hieratk.taxonomy.spec import KINDS, LANGUAGE_PATTERN, ROLES, VERSION_PATTERN
from hieratk.taxonomy.tree import Deprecated

_SKOS = "http://www.w3.org/2004/02/skos/core#"
_XKOS = "http://rdf-vocabulary.ddialliance.org/xkos#"
_DCT = "http://purl.org/dc/terms/"
_OWL = "http://www.w3.org/2002/07/owl#"
_SPAN = re.compile(r"(-?[0-9]{1,12})(?:\.\.(-?[0-9]{1,12}))?", re.ASCII)
_READ = {
    TYPE,
    *(_SKOS + name for name in ("inScheme", "topConceptOf", "hasTopConcept", "notation", "prefLabel", "altLabel",
                                "definition", "note", "scopeNote", "broader", "narrower", "member")),
    *(_XKOS + name for name in ("numberOfLevels", "levels", "depth", "organizedBy")),
    *(_DCT + name for name in ("identifier", "language", "title", "description", "license", "isReplacedBy")),
    *(_OWL + name for name in ("deprecated", "versionInfo")),
}  # fmt: skip


def read(source: Source) -> Found:
    """The tree of the one concept scheme in a text.

    A concept with several broader ones hangs below the deepest of them (the first by its name among equals), unless
    hieratk's own property says which; the others become further parents. Raises ExchangeError with the place.
    """
    graph = Graph(source)
    lang, head = _head(graph)
    concepts = graph.of_type(_SKOS + "Concept")
    concepts = concepts or sorted({s for s, _ in graph.pairs(_SKOS + "broader")})
    if not concepts:
        raise ExchangeError(f"{source.name}: no skos:Concept in it; is it SKOS, written as turtle?")
    names = _local_names(concepts)
    level_of, level_names = _levels(graph)
    above = _broader(graph, set(concepts))
    guesses: list[str] = []
    parents = _parents(graph, concepts, above, level_of, guesses)
    rows = [
        _row(graph, subject, names[subject], parents.get(subject), above[subject], level_of.get(subject), lang)
        for subject in _ordered(graph, concepts)
    ]
    specials = [_special(graph, subject, lang) for subject in graph.of_type(OWN + "Special")]
    if lang != "en" and "lang" not in head:
        head["lang"] = lang
    return Found((*rows, *specials), head, level_names, tuple(graph.unread(_READ)), tuple(guesses))


def _head(graph: Graph) -> tuple[str, dict[str, Any]]:
    schemes = graph.of_type(_SKOS + "ConceptScheme")
    if len(schemes) > 1:
        raise ExchangeError(f"{graph.name}: {len(schemes)} concept schemes {some(schemes)}; one file holds one tree")
    scheme = schemes[0] if schemes else ""
    lang = graph.text(scheme, _DCT + "language")
    if not re.fullmatch(LANGUAGE_PATTERN, lang):
        concepts = graph.of_type(_SKOS + "Concept")
        tags = Counter(said.lang for s in concepts for said in graph.said(s, _SKOS + "prefLabel") if said.lang)
        lang = "en" if "en" in tags or not tags else _tag(max(sorted(tags), key=lambda tag: tags[tag]))
    head: dict[str, Any] = {"lang": lang} if lang != "en" else {}
    head["id"] = graph.text(scheme, _DCT + "identifier")
    for key, predicate in (("title", "title"), ("description", "description"), ("license", "license")):
        text = graph.text(scheme, _DCT + predicate)
        if text:
            head[key] = text
    version = graph.text(scheme, _OWL + "versionInfo")
    if re.fullmatch(VERSION_PATTERN, version):
        head["version"] = version
    return lang, {key: value for key, value in head.items() if value}


def _local_names(concepts: list[str]) -> dict[str, str]:
    """The last piece of every address where these are unique, else whole addresses."""
    short = {subject: re.split("[#/:]", subject)[-1] for subject in concepts}
    return short if len(set(short.values())) == len(short) and all(short.values()) else {s: s for s in concepts}


def _levels(graph: Graph) -> tuple[dict[str, int], tuple[str, ...]]:
    """The level of each concept, and the names of the levels, where XKOS says so."""
    found: list[tuple[int, str]] = []
    for subject in graph.of_type(_XKOS + "ClassificationLevel"):
        depth = integer(graph.text(subject, _XKOS + "depth"))
        if depth is not None and 1 <= depth <= 60:
            found.append((depth - 1, subject))
    found.sort()
    if not found or [depth for depth, _ in found] != list(range(len(found))):
        return {}, ()
    at = {member: depth for depth, subject in found for member in graph.texts(subject, _SKOS + "member")}
    names = tuple(
        graph.text(subject, _SKOS + "notation") or graph.text(subject, _SKOS + "prefLabel") or f"level{depth + 1}"
        for depth, subject in found
    )
    return at, names


def _broader(graph: Graph, concepts: set[str]) -> dict[str, list[str]]:
    above: dict[str, set[str]] = {subject: set() for subject in concepts}
    for below, other in graph.pairs(_SKOS + "broader"):
        if below in concepts:
            above[below].add(other)
    for other, below in graph.pairs(_SKOS + "narrower"):
        if below in concepts:
            above[below].add(other)
    for below, others in above.items():
        for other in others - concepts:
            raise ExchangeError(f"{graph.name}: <{below}> has the broader concept <{other}>, which is not in the file")
    return {below: sorted(others) for below, others in above.items()}


def _parents(
    graph: Graph, concepts: list[str], above: dict[str, list[str]], level_of: dict[str, int], guesses: list[str]
) -> dict[str, str]:
    depths: dict[str, int] = dict(level_of)

    def depth(subject: str, seen: tuple[str, ...] = ()) -> int:
        if subject in seen:
            loop = [re.split("[#/:]", s)[-1] for s in (*seen[seen.index(subject) :], subject)]
            raise ExchangeError(f"{graph.name}: a concept is broader than itself: {' -> '.join(loop)}")
        if len(seen) > 200:
            raise ExchangeError(f"{graph.name}: concepts stand more than 200 deep; is `broader` the right way round?")
        if subject not in depths:
            depths[subject] = 1 + max((depth(other, (*seen, subject)) for other in above[subject]), default=-1)
        return depths[subject]

    parents: dict[str, str] = {}
    chosen: list[str] = []
    for subject in concepts:
        others = above[subject]
        stated = graph.text(subject, OWN + "parent")
        if stated in others:
            parents[subject] = stated
        elif graph.text(subject, OWN + "order") and graph.text(subject, _SKOS + "topConceptOf"):
            # Written by hieratk: a class of the top may have further parents all the same.
            continue
        elif others:
            parents[subject] = max(others, key=depth)
            if len(others) > 1:
                chosen.append(re.split("[#/:]", subject)[-1])
    if chosen:
        guesses.append(
            f"{number(len(chosen), 'class has', 'classes have')} several broader ones; the deepest is the parent, the"
            f" others became `also` {some(chosen)}"
        )
    return parents


def _ordered(graph: Graph, concepts: list[str]) -> list[str]:
    """By hieratk's own order, else by code (numbers as numbers), else by name: turtle has no order of its own."""

    def key(subject: str) -> tuple[int, list[tuple[int, int, str]], str]:
        order = integer(graph.text(subject, OWN + "order"))
        code = graph.text(subject, _SKOS + "notation") or graph.text(subject, _SKOS + "prefLabel")
        pieces = [
            (0, int(piece), "") if piece.isdecimal() and piece.isascii() else (1, 0, piece)
            for piece in re.split(r"([0-9]+)", code[:200])
            if piece
        ]
        return (order if order is not None else 2**40), pieces, subject

    return sorted(concepts, key=key)


def _row(
    graph: Graph, subject: str, name: str, parent: str | None, above: list[str], level: int | None, lang: str
) -> Row:
    where = f"{graph.name}: <{subject}>"
    own, labels = _labels(graph, subject, lang)
    kind = graph.text(subject, OWN + "kind")
    texts: dict[str, Any] = {
        "labels": labels,
        "synonyms": tuple(text for text in _in_language(graph, subject, _SKOS + "altLabel", lang) if text != own),
        "definition": _first(graph, subject, _SKOS + "definition", lang),
        "note": _first(graph, subject, _SKOS + "note", lang) or _first(graph, subject, _SKOS + "scopeNote", lang),
    }
    return Row(
        key=subject,
        place=where,
        name=own or name.replace("_", " "),
        parent=parent,
        id=name if is_id(name) else None,
        code=graph.text(subject, _SKOS + "notation") or None,
        level=level,
        values=_values(graph, where, subject),
        color=color_of(graph.text(subject, OWN + "color")),
        kind=kind if kind in KINDS else "class",  # type: ignore[arg-type]  # one of KINDS
        parts=_shares(graph, where, subject),
        also=tuple(_ordered(graph, [other for other in above if other != parent])),
        deprecated=_deprecated(graph, subject),
        texts={key: value for key, value in texts.items() if value},
    )


def _special(graph: Graph, subject: str, lang: str) -> Row:
    where = f"{graph.name}: <{subject}>"
    own, labels = _labels(graph, subject, lang)
    role = graph.text(subject, OWN + "role")
    if role not in ROLES:
        raise ExchangeError(f"{where}: the role `{role}` is none of {', '.join(ROLES)}")
    name = re.split("[#/:]", subject)[-1]
    note = graph.text(subject, _SKOS + "note")
    return Row(
        key=subject,
        place=where,
        name=own or name.replace("_", " "),
        id=name if is_id(name) else None,
        values=_values(graph, where, subject),
        color=color_of(graph.text(subject, OWN + "color")),
        role=role,  # type: ignore[arg-type]  # one of ROLES
        texts={key: value for key, value in (("labels", labels), ("note", note)) if value},
    )


def _labels(graph: Graph, subject: str, lang: str) -> tuple[str, dict[str, str]]:
    """The name in the language of the tree, else without a language, else in any; and the names in other languages."""
    said = [label for label in graph.said(subject, _SKOS + "prefLabel") if label.text]
    ranks = {lang.lower(): 0, "": 1, "en": 2}
    said.sort(key=lambda label: ranks.get(label.lang.lower(), 3))
    own = said[0].text if said else ""
    labels: dict[str, str] = {}
    for label in said[1:]:
        tag = _tag(label.lang)
        if tag != lang and re.fullmatch(LANGUAGE_PATTERN, tag):
            labels.setdefault(tag, label.text)
    return own, labels


def _tag(lang: str) -> str:
    """A language tag in the usual letter case: RDF takes them in any."""
    pieces = lang.split("-")
    cased = [p.upper() if len(p) == 2 else p.capitalize() if len(p) == 4 else p for p in pieces[1:]]
    return "-".join([pieces[0].lower(), *cased])


def _in_language(graph: Graph, subject: str, predicate: str, lang: str) -> list[str]:
    said = graph.said(subject, predicate)
    return list(dict.fromkeys(s.text for s in said if s.text and s.lang.lower() in ("", lang.lower())))


def _first(graph: Graph, subject: str, predicate: str, lang: str) -> str:
    return next(iter(_in_language(graph, subject, predicate, lang)), "")


def _values(graph: Graph, where: str, subject: str) -> tuple[tuple[int, int], ...]:
    found = []
    for word in graph.text(subject, OWN + "pixel").split():
        match = _SPAN.fullmatch(word)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise ExchangeError(f"{where}: `{word}` is no raster value such as 7 or 42..44")
        found.append((int(match[1]), int(match[2] or match[1])))
    return tuple(found)


def _shares(graph: Graph, where: str, subject: str) -> dict[str, float | None]:
    text = graph.text(subject, OWN + "parts")
    if not text:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not all(s is None or isinstance(s, int | float) for s in value.values()):
        raise ExchangeError(f"{where}: `{text[:80]}` are no parts of a mixed class")
    stem = subject[: len(subject) - len(re.split("[#/:]", subject)[-1])]
    return {stem + part: share for part, share in value.items()}


def _deprecated(graph: Graph, subject: str) -> Deprecated | None:
    if graph.text(subject, _OWL + "deprecated") not in ("true", "1"):
        return None
    since = graph.text(subject, OWN + "deprecatedSince")
    use = tuple(_ordered(graph, graph.texts(subject, _DCT + "isReplacedBy")))
    note = graph.text(subject, OWN + "deprecatedBecause")
    return Deprecated(since if re.fullmatch(VERSION_PATTERN, since) else "0.0.0", use, note or None)
