"""Texts to files."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from hieratk.errors import TaxonomyError


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text as UTF-8, beside the file and renamed, so that nobody ever sees half of it.

    Line breaks are written as they are in the text. An existing file keeps its permissions; where the path is a link,
    the file that it leads to is written. Raises TaxonomyError for a file that cannot be written.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("x", encoding="utf-8", newline="") as stream:
            stream.write(text)
        if target.exists():
            if not os.access(target, os.W_OK):
                raise PermissionError(None, "the file is read-only")
            shutil.copymode(target, beside)
        beside.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise TaxonomyError(f"`{os.fspath(path)}` cannot be written: {error.strerror or error}") from None
