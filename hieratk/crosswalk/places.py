"""Where crosswalks and the trees that they name are looked for."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hieratk.errors import TaxonomyError
from hieratk.taxonomy import catalog
from hieratk.taxonomy.bases import Found, Missing, find
from hieratk.taxonomy.reader import read_file
from hieratk.taxonomy.tree import Taxonomy

FOLDER = "crosswalks"
"""The folder of crosswalks within a folder of taxonomies."""

SUFFIXES = (".yaml", ".yml")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def tree(word: str, *, file: str) -> Taxonomy | Missing:
    """The taxonomy that a crosswalk calls by a name or path, or why there is none.

    A name is looked up beside the crosswalk, then as `hieratk.load` does it. A path holds from the folder of the
    crosswalk, and leads into the same folders only.
    """
    found = find(word, file, ())
    if isinstance(found, Missing):
        return found
    assert isinstance(found, Found)
    try:
        taxonomy, _ = read_file(found.path)
    except TaxonomyError as error:
        return Missing("T602", str(error))
    if taxonomy is None:
        return Missing("T602", f"taxonomy `{word}` has errors", f"hieratk taxonomy validate {found.shown}")
    return taxonomy


def is_crosswalk(file: Path) -> bool:
    """Whether the first line of a file that is no comment says that it is a crosswalk."""
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    except OSError:
        return False
    return first.startswith("hieratk: crosswalk/")


def places() -> tuple[Path, ...]:
    """The folders in which names of crosswalks are looked up, first come first: `crosswalks` here, then `crosswalks` in
    every folder of taxonomies."""
    return (Path(FOLDER), *(place / FOLDER for place in catalog.places()))


def moved(word: str, *, file: str, to: str) -> str:
    """What a crosswalk in another place has to call the tree that one in `file` calls by this name or path."""
    found, there = find(word, file, ()), find(word, to, ())
    if isinstance(found, Missing) or (isinstance(there, Found) and there.path.resolve() == found.path.resolve()):
        return word
    return Path(os.path.relpath(found.path.resolve(), Path(to).parent.resolve())).as_posix()
