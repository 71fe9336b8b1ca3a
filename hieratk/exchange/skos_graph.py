"""Turtle to statements. The only door to rdflib, which is loaded when a file is read and not before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from hieratk.diagnostics import Source
from hieratk.errors import ExchangeError
from hieratk.exchange.counting import number
from hieratk.exchange.skos import OWN
from hieratk.exchange.sources import clean

TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"


@dataclass(frozen=True, slots=True)
class Said:
    """The object of a statement: a text with its language, or an address."""

    text: str
    lang: str = ""


class Graph:
    """The triples of a text by subject and predicate, as plain text: what rdflib makes of it is left behind."""

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._said: dict[str, dict[str, list[Said]]] = {}
        for subject, predicate, said in _triples(source):
            self._said.setdefault(subject, {}).setdefault(predicate, []).append(said)

    def said(self, subject: str, predicate: str) -> list[Said]:
        """What is said of a subject, in the order of languages and texts."""
        return sorted(self._said.get(subject, {}).get(predicate, ()), key=lambda said: (said.lang, said.text))

    def texts(self, subject: str, predicate: str) -> list[str]:
        """The texts or addresses that are said of a subject, sorted."""
        return [said.text for said in self.said(subject, predicate)]

    def text(self, subject: str, predicate: str) -> str:
        """The first of `texts`, or an empty one."""
        return next(iter(self.texts(subject, predicate)), "")

    def of_type(self, type_: str) -> list[str]:
        """Everything of a type, sorted."""
        return sorted(s for s, said in self._said.items() if any(v.text == type_ for v in said.get(TYPE, ())))

    def pairs(self, predicate: str) -> list[tuple[str, str]]:
        """Subject and object of every statement with a predicate."""
        return [(s, v.text) for s, said in self._said.items() for v in said.get(predicate, ())]

    def unread(self, known: set[str]) -> list[str]:
        """Counts of the statements with other predicates than these."""
        counts = Counter(p for said in self._said.values() for p, values in said.items() for _ in values)
        rdf = TYPE.rpartition("#")[0]
        return [
            f"{number(count, 'statement')} of {re.split('[#/]', predicate)[-1]} ({predicate})"
            for predicate, count in sorted(counts.items())
            if predicate not in known and not predicate.startswith((OWN, rdf))
        ]


def _triples(source: Source) -> Iterable[tuple[str, str, Said]]:
    try:
        import rdflib
    except ImportError:
        raise ExchangeError(
            "reading SKOS needs rdflib, which is not installed; run: pip install 'hieratk[skos]'"
        ) from None
    import logging

    # rdflib warns about literals that do not fit their type; to us all of them are text.
    logging.getLogger("rdflib.term").setLevel(logging.ERROR)
    graph = rdflib.Graph()
    try:
        # Turtle names no document that would be fetched; other formats of RDF do, and are not read.
        graph.parse(data=source.text, format="turtle", publicID="file:///legend/")
    except RecursionError:
        raise ExchangeError(f"{source.name}: brackets are nested too deeply for a legend") from None
    except Exception as error:  # rdflib raises what its parser happens to meet: SyntaxError, ValueError, IndexError
        raise ExchangeError(f"{source.name}{_where(error)}: not turtle: {_why(error)}") from None
    for subject, predicate, value in graph:
        yield str(subject), str(predicate), Said(clean(str(value)), getattr(value, "language", None) or "")


def _where(error: Exception) -> str:
    line = getattr(error, "lines", None)
    return f":{line + 1}" if isinstance(line, int) else ""


def _why(error: Exception) -> str:
    text = getattr(error, "_why", None)
    return " ".join(str(text if isinstance(text, str) else error).split())[:200]
