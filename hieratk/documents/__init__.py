"""YAML text to values with places. The only door to the YAML library."""

from hieratk.diagnostics import Source, Span
from hieratk.documents.collection import paused_collection
from hieratk.documents.composing import compose
from hieratk.documents.files import read_bytes, read_source
from hieratk.documents.texts import TEXT_RULES
from hieratk.documents.values import Mapping, Scalar, Sequence, Value, locate, plain
from hieratk.documents.words import as_number, as_word, quote

__all__ = [
    "TEXT_RULES",
    "Mapping",
    "Scalar",
    "Sequence",
    "Source",
    "Span",
    "Value",
    "as_number",
    "as_word",
    "compose",
    "locate",
    "paused_collection",
    "plain",
    "quote",
    "read_bytes",
    "read_source",
]
