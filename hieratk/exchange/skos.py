"""SKOS with the levels of XKOS, written as turtle in the order of the tree.

Concepts are classes: `broader` is parent and further parents, `notation` the code, `prefLabel` the name, `altLabel` a
synonym. Order, raster values, colours, kinds and special values are no matter of SKOS and stand in properties of
hieratk's own. (known: SKOS reference of the W3C, integrity conditions S9, S13, S14; XKOS 1.2)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from hieratk.diagnostics import Source
from hieratk.errors import ExchangeError
from hieratk.exchange.counting import lost, number, some
from hieratk.exchange.legend import choose
from hieratk.exchange.records import Exported, Found
from hieratk.taxonomy.tree import Encoding, Node, Special, Taxonomy

OWN = "urn:hieratk:terms#"
"""Namespace of the properties that SKOS lacks."""

_PREFIXES = {
    "dct": "http://purl.org/dc/terms/",
    "hk": OWN,
    "owl": "http://www.w3.org/2002/07/owl#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xkos": "http://rdf-vocabulary.ddialliance.org/xkos#",
}
_CARRIED = {"tree", "ids", "levels", "code", "labels", "synonyms", "definition", "kind", "parts", "color", "also",
            "deprecated", "note", "head:title", "head:description", "head:version", "head:lang", "head:license",
            "special:color", "special:labels", "special:note"}  # fmt: skip


def read_skos(source: Source) -> Found:
    """The tree of a concept scheme; needs rdflib (`pip install 'hieratk[skos]'`)."""
    from hieratk.exchange.skos_reading import read

    return read(source)


def write_skos(taxonomy: Taxonomy, *, level: str | None, encoding: str | None) -> Exported:
    """The whole tree as a concept scheme, with the raster values of one encoding."""
    if level is not None:
        raise ExchangeError("skos holds the whole tree; leave the level out, or export a flat list such as stac")
    chosen = choose(taxonomy, None, encoding)
    repeated: list[str] = []
    blocks = [_prefixes(taxonomy), _scheme(taxonomy), *_levels(taxonomy)]
    blocks += [_concept(taxonomy, node, index, chosen, repeated) for index, node in enumerate(taxonomy.nodes, 1)]
    blocks += [_special(taxonomy, entry, chosen) for entry in taxonomy.special]
    missing = lost(taxonomy, carried=_CARRIED, encoding=chosen)
    if repeated:
        what = "that repeat a name or one another"
        missing.append(f"{number(len(repeated), 'name or synonym', 'names or synonyms')} {what} {some(repeated)}")
    return Exported("\n".join(blocks), tuple(missing))


def _prefixes(taxonomy: Taxonomy) -> str:
    own = {"": f"urn:hieratk:{taxonomy.id}#", **_PREFIXES}
    return "".join(f"@prefix {prefix}: <{uri}> .\n" for prefix, uri in own.items())


def _scheme(taxonomy: Taxonomy) -> str:
    said = [
        ("rdf:type", "skos:ConceptScheme"),
        ("dct:identifier", literal(taxonomy.id)),
        ("dct:language", literal(taxonomy.lang)),
        ("owl:versionInfo", literal(taxonomy.version)),
        ("dct:title", literal(taxonomy.title, taxonomy.lang) if taxonomy.title else ""),
        ("dct:description", literal(taxonomy.description, taxonomy.lang) if taxonomy.description else ""),
        ("dct:license", literal(taxonomy.license) if taxonomy.license else ""),
        ("xkos:numberOfLevels", str(len(taxonomy.level_names))),
        ("xkos:levels", "( " + " ".join(_level(index) for index in range(len(taxonomy.level_names))) + " )"),
        *(("skos:hasTopConcept", concept(node.id)) for node in taxonomy.nodes if node.parent is None),
    ]
    return _block(_SCHEME, said)


_SCHEME = ":_scheme"


def _level(index: int) -> str:
    # Ids have no underscore in front, so nothing here is the name of a class.
    return f":_level{index + 1}"


def _levels(taxonomy: Taxonomy) -> list[str]:
    return [
        _block(
            _level(index),
            [
                ("rdf:type", "xkos:ClassificationLevel"),
                ("xkos:depth", str(index + 1)),
                ("skos:notation", literal(name)),
                *(("skos:member", concept(node.id)) for node in taxonomy.nodes if node.level == index),
            ],
        )
        for index, name in enumerate(taxonomy.level_names)
    ]


def concept(id_: str) -> str:
    """The name of a class in turtle."""
    return f":{id_}"


def _concept(taxonomy: Taxonomy, node: Node, order: int, encoding: Encoding | None, repeated: list[str]) -> str:
    labels = _labels(taxonomy.lang, node.name, node.labels)
    synonyms = list(dict.fromkeys(text for text in node.synonyms if text != node.name))
    repeated += [text for text in node.synonyms if text == node.name] if len(synonyms) < len(node.synonyms) else []
    said = [
        ("rdf:type", "skos:Concept"),
        ("skos:inScheme", _SCHEME),
        ("skos:topConceptOf", _SCHEME if node.parent is None else ""),
        ("skos:notation", literal(node.code) if node.code else ""),
        *(("skos:prefLabel", text) for text in labels),
        *(("skos:altLabel", literal(text, taxonomy.lang)) for text in synonyms),
        ("skos:definition", literal(node.definition, taxonomy.lang) if node.definition else ""),
        ("skos:note", literal(node.note, taxonomy.lang) if node.note else ""),
        *(("skos:broader", concept(other)) for other in (node.parent, *node.also) if other is not None),
        # With several broader concepts nothing else says which one is the parent.
        ("hk:parent", concept(node.parent) if node.parent is not None and node.also else ""),
        ("hk:order", str(order)),
        *_own(node.id, node.color, encoding),
        ("hk:kind", literal(node.kind) if node.kind != "class" else ""),
        ("hk:parts", literal(json.dumps(dict(node.parts))) if node.parts else ""),
    ]
    if node.deprecated is not None:
        old = node.deprecated
        said += [
            ("owl:deprecated", "true"),
            *(("dct:isReplacedBy", concept(id_)) for id_ in old.use),
            ("hk:deprecatedSince", literal(old.since) if old.since else ""),
            ("hk:deprecatedBecause", literal(old.note) if old.note else ""),
        ]
    return _block(concept(node.id), said)


def _special(taxonomy: Taxonomy, entry: Special, encoding: Encoding | None) -> str:
    said = [
        ("rdf:type", "hk:Special"),
        ("hk:role", literal(entry.role)),
        *(("skos:prefLabel", text) for text in _labels(taxonomy.lang, entry.name, entry.labels)),
        ("skos:note", literal(entry.note, taxonomy.lang) if entry.note else ""),
        *_own(entry.id, entry.color, encoding),
    ]
    return _block(concept(entry.id), said)


def _labels(lang: str, name: str, labels: Mapping[str, str]) -> list[str]:
    """One label a language (S14)."""
    return [literal(name, lang), *(literal(text, tag) for tag, text in labels.items() if tag.lower() != lang.lower())]


def _own(id_: str, color: str | None, encoding: Encoding | None) -> list[tuple[str, str]]:
    spans = [(low, high) for low, high, owner in encoding.values if owner == id_] if encoding is not None else []
    text = " ".join(str(low) if low == high else f"{low}..{high}" for low, high in spans)
    return [("hk:pixel", literal(text) if text else ""), ("hk:color", literal(color) if color else "")]


def _block(subject: str, said: Iterable[tuple[str, str]]) -> str:
    stated = [(predicate, value) for predicate, value in said if value]
    lines = [f"    {predicate} {value}" for predicate, value in stated]
    return f"{subject}\n" + " ;\n".join(lines) + " .\n"


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_HIDDEN = re.compile('[\\\\"\x00-\x1f\x7f-\x9f\u2028\u2029]')


def literal(text: str, lang: str = "") -> str:
    """Text in quotes, with a language tag where one is given."""
    escaped = _HIDDEN.sub(lambda match: _ESCAPES.get(match[0], f"\\u{ord(match[0]):04X}"), text)
    return f'"{escaped}"' + (f"@{lang}" if lang else "")
