"""Files to text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from hieratk.diagnostics import Findings, Problem, Source, Span
from hieratk.documents.texts import LARGEST, TEXT_RULES
from hieratk.errors import TaxonomyError


def read_source(path: str | os.PathLike[str]) -> tuple[Source, list[Problem]]:
    """The text of a file, and why it is no text where it is none (rules Y002, Y018; the source is then empty).

    Raises TaxonomyError for a file that cannot be read at all: missing, a folder, no permission.
    """
    name = os.fspath(path)
    file = Path(name)
    try:
        if file.is_dir():
            raise TaxonomyError(f"`{name}` is a folder; name the file in it")
        with file.open("rb") as stream:
            return read_bytes(stream, name=name)
    except FileNotFoundError:
        raise TaxonomyError(f"there is no file `{name}`") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TaxonomyError(f"`{name}` cannot be read: {reason}") from None


def read_bytes(stream: BinaryIO, *, name: str) -> tuple[Source, list[Problem]]:
    """`read_source` for an open stream of bytes."""
    # One byte more than is allowed, so that a stream without end is not read to its end.
    data = stream.read(LARGEST + 1)
    empty = Source(name, "")
    findings = Findings(empty, TEXT_RULES)
    here = Span(0, 0)
    if len(data) > LARGEST:
        findings.add("Y018", here, f"the file is larger than {LARGEST // 2**20} MB")
        return empty, findings.problems()
    try:
        return Source(name, data.decode("utf-8")), []
    except UnicodeDecodeError as error:
        before = data[: error.start]
        row = before.count(b"\n") + 1
        byte = f"byte 0x{data[error.start]:02X} in line {row}"
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            findings.add("Y002", here, "the file is UTF-16, not UTF-8", help="save it as UTF-8")
        elif b"\0" in data[:4096]:
            findings.add("Y002", here, f"the file is not text: {byte} is not UTF-8", help="is it the right file?")
        else:
            # What could be read is shown, so that the row can be found.
            source = Source(name, before.decode("utf-8"))
            findings = Findings(source, TEXT_RULES)
            end = len(source.text)
            findings.add("Y002", Span(end, end), f"the file is not UTF-8: {byte}", help="save it as UTF-8")
        return empty, findings.problems()
