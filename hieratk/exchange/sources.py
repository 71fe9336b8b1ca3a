"""Files of other formats as text, and texts as JSON or XML: every fault with its place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder

from hieratk.diagnostics import Source
from hieratk.documents import read_source
from hieratk.documents.texts import DEEPEST, LARGEST
from hieratk.errors import ExchangeError, TaxonomyError

_UNPAIRED = re.compile("[\ud800-\udfff]")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def source_of(given: str | Path | Source) -> Source:
    """The text of a file (`Path`), of a string, or of what has been read already, without a byte-order mark.

    Raises ExchangeError for a file that is missing, a folder, not UTF-8, or larger than a taxonomy may be (8 MB).
    """
    if isinstance(given, Path):
        try:
            source, problems = read_source(given)
        except TaxonomyError as error:
            raise ExchangeError(str(error)) from None
        if problems:
            problem = problems[0]
            help_ = f"; {problem.help}" if problem.help else ""
            raise ExchangeError(f"{given}: {problem.message}{help_}")
    else:
        source = given if isinstance(given, Source) else Source("<text>", given)
        if len(source.text) > LARGEST:
            raise ExchangeError(f"{source.name} is larger than {LARGEST // 2**20} MB; split it, or leave out columns")
    if not source.text.strip("\ufeff \t\r\n"):
        raise ExchangeError(f"{source.name} is empty")
    # A file holds no halves of surrogate pairs; a text that a program made may.
    return Source(source.name, _UNPAIRED.sub("\ufffd", source.text.removeprefix("\ufeff")))


def place(source: Source, offset: int) -> str:
    """`file:row:column` of a character."""
    row, column = source.position(offset)
    return f"{source.name}:{row}:{column}"


def clean(text: str) -> str:
    """Text as a taxonomy may hold it: no halves of surrogate pairs, no blanks around it."""
    return _UNPAIRED.sub("\ufffd", text).strip()


def xml_text(text: str) -> str:
    """Text without the characters that XML has no way to write."""
    return _NOT_XML.sub(" ", text)


def parse_json(source: Source) -> Any:
    """The JSON value of a text. Raises ExchangeError with the place of what is no JSON."""
    try:
        return json.loads(source.text)
    except json.JSONDecodeError as error:
        raise ExchangeError(f"{source.name}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise ExchangeError(f"{source.name}: lists and objects are nested too deeply for a legend") from None
    except ValueError as error:
        raise ExchangeError(f"{source.name}: not JSON that can be used: {error}") from None


def parse_xml(source: Source) -> Element:
    """The root of an XML text.

    Entities are neither defined nor looked up: a document type that declares any (an "entity bomb", an external file)
    is refused, while the bare `<!DOCTYPE qgis ...>` of QGIS is not. Raises ExchangeError with the place.
    """
    from xml.parsers import expat

    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    depth = 0

    def refuse(why: str) -> None:
        at = f"{source.name}:{parser.CurrentLineNumber}:{parser.CurrentColumnNumber + 1}"
        raise ExchangeError(f"{at}: {why}; remove it from the file")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            refuse(f"elements are nested deeper than {DEEPEST}")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def doctype(_name: str, _system: str | None, _public: str | None, declares: bool) -> None:
        if declares:
            refuse("the document type declares something of its own, which a legend has no need of")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = doctype
    parser.EntityDeclHandler = lambda *_: refuse("the file defines an entity")
    parser.SkippedEntityHandler = lambda name, *_: refuse(f"`&{name};` stands for something outside the file")
    try:
        parser.Parse(source.text, True)
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        raise ExchangeError(f"{source.name}:{error.lineno}:{error.offset + 1}: not well-formed XML: {what}") from None
    root: Element = builder.close()
    return root


_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
_SHORT_HEX = re.compile(r"#([0-9a-fA-F]{3})")


def color_of(text: str) -> str | None:
    """`#rrggbb` in lower case from the ways colours are written in hexadecimal, or None."""
    text = text.strip()
    if match := _HEX.fullmatch(text):
        return f"#{match[1].lower()}"
    if match := _SHORT_HEX.fullmatch(text):
        return "#" + "".join(digit * 2 for digit in match[1].lower())
    return None


def integer(value: object) -> int | None:
    """An integer written as a number or as text (`7`, `7.0`), or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 2**63 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else None
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,18}(\.0+)?\s*", value, re.ASCII):
        return int(value.strip().partition(".")[0])
    return None
