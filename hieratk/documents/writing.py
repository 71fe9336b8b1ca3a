"""Texts to files that have their name when they are complete, or never."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from hieratk.errors import HieratkError, TaxonomyError


def write_text(
    path: str | os.PathLike[str], text: str, *, replace: bool = True, error: type[HieratkError] = TaxonomyError
) -> None:
    """Write a text as UTF-8, beside the file and renamed, so that nobody ever sees half of it.

    Line breaks are written as they are in the text. A file that is replaced keeps its permissions; where the path is a
    link, the file that it leads to is written. Without `replace` a file that exists is left alone.

    Raises `error` for a file that exists, a folder that does not, and a disk that refuses.
    """
    shown, target = os.fspath(path), Path(os.path.realpath(path))
    if target.is_dir():
        raise error(f"{shown} is a folder; name the file in it")
    if not target.parent.is_dir():
        raise error(f"cannot write {shown}: the folder {Path(shown).parent} does not exist; make it first")
    taken = f"{shown} exists already and is left as it is; give --force to replace it, or choose another name"
    if not replace and target.exists():
        raise error(taken)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with beside.open("x", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if replace and target.exists():
            if not os.access(target, os.W_OK):
                raise PermissionError(None, "the file is read-only")
            shutil.copymode(target, beside)
        if replace:
            beside.replace(target)
        else:
            _claim(beside, target)
    except FileExistsError:
        raise error(taken) from None
    except OSError as refused:
        raise error(f"cannot write {shown}: {refused.strerror or refused}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()


def _claim(beside: Path, target: Path) -> None:
    """Give a file a name that nobody has: a link, unlike a rename, fails where somebody has made the file meanwhile."""
    try:
        os.link(beside, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        beside.replace(target)
