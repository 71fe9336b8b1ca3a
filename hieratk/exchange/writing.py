"""Text files that have their name when they are complete, or never."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from hieratk.errors import ExchangeError


def write_text(path: Path, text: str, *, replace: bool = False) -> None:
    """Write a file beside its place and rename it; one that exists is left alone unless `replace`.

    Raises ExchangeError for a file that exists, a folder that does not, and a disk that refuses.
    """
    if path.is_dir():
        raise ExchangeError(f"{path} is a folder; name the file in it")
    if not path.parent.is_dir():
        raise ExchangeError(f"cannot write {path}: the folder {path.parent} does not exist; make it first")
    taken = f"{path} exists already and is left as it is; give --force to replace it, or choose another name"
    if path.exists() and not replace:
        raise ExchangeError(taken)
    part = ""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="\n", dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False
        ) as stream:
            part = stream.name
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(part).chmod(0o666 & ~mask)
        if replace:
            Path(part).replace(path)
        else:
            # A link, unlike a rename, fails where somebody else has made the file meanwhile.
            try:
                os.link(part, path)
            except FileExistsError:
                raise ExchangeError(taken) from None
            except OSError:
                Path(part).replace(path)
    except OSError as error:
        raise ExchangeError(f"cannot write {path}: {error.strerror or error}; choose another folder") from None
    finally:
        if part:
            with contextlib.suppress(OSError):
                Path(part).unlink()
