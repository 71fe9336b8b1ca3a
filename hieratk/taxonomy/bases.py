"""Where the base of an extension is looked for, and what is said where it is not found (rules T602 and T604)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hieratk.diagnostics import nearest
from hieratk.taxonomy import catalog
from hieratk.taxonomy.draft import chain

_SUFFIXES = (".yaml", ".yml")
_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"


class Found(NamedTuple):
    """The file of a base: `word` as written, `shown` as a command line takes it."""

    word: str
    path: Path
    shown: str


class Missing(NamedTuple):
    """Why there is no base, as a rule says it."""

    code: str
    message: str
    help: str = ""
    notes: tuple[str, ...] = ()


def find(word: str, file: str, above: tuple[Path, ...]) -> Found | Missing:
    """The base that a word in a file stands for: a name, or a path relative to the file.

    A name is looked up beside the file, then where `hieratk.load` looks. A path may lead into the same folders only,
    and into those of the files that extend this one: whoever checks a tree that somebody sent shall not have other
    files opened by it. `above` holds the files that led here, this one last; it is never its own base by name, so that
    a project may extend a shipped tree under its name.
    """
    folder = None if file.startswith("<") else Path(file).parent
    try:
        if re.fullmatch(_NAME, word):
            found = _by_name(word, folder, above)
        elif folder is None:
            return Missing(
                "T602", f"standard input has no folder for the path `{word}`", "give the name of a known tree"
            )
        else:
            found = _by_path(word, folder, above)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return Missing("T602", f"`{word}` cannot be looked up: {reason}")
    if isinstance(found, Found) and found.path.resolve() in above:
        circle = above[above.index(found.path.resolve()) :]
        names = [path.name for path in (*circle, circle[0])]
        return Missing("T604", f"taxonomies extend one another in a circle: {chain(names)}", "write one of them whole")
    return found


def _by_name(word: str, folder: Path | None, above: tuple[Path, ...]) -> Found | Missing:
    own = above[-1] if above else None
    for place in _places(folder):
        for suffix in _SUFFIXES:
            path = place / f"{word}{suffix}"
            if path.is_file() and path.resolve() != own:
                return Found(word, path, str(path) if place == folder else word)
    known = dict.fromkeys((*_beside(folder, own), *catalog.names()))
    return Missing("T602", f"there is no taxonomy `{word}`", _meant(nearest(word, known)), (_searched(folder),))


def _by_path(word: str, folder: Path, above: tuple[Path, ...]) -> Found | Missing:
    path = folder / word
    real = path.resolve()
    allowed = (*(file.parent for file in above), *(place.resolve() for place in _places(folder)))
    if not any(real.is_relative_to(place) for place in allowed):
        way = "keep it beside this file or below, or name its folder in HIERATK_TAXONOMIES"
        return Missing("T602", f"`{word}` leads out of the folders that taxonomies are taken from", way)
    if path.suffix not in _SUFFIXES:
        return Missing("T602", f"`{word}` is no YAML file", "give a name, or a path that ends with .yaml")
    if not path.is_file():
        near = nearest(path.name, (other.name for other in _files(path.parent)))
        return Missing("T602", f"there is no file `{word}`", _meant([str(Path(word).with_name(name)) for name in near]))
    return Found(word, path, str(path))


def _places(folder: Path | None) -> tuple[Path, ...]:
    return (*(() if folder is None else (folder,)), *catalog.places())


def _beside(folder: Path | None, own: Path | None) -> Iterator[str]:
    if folder is not None:
        yield from (path.stem for path in _files(folder) if path.resolve() != own)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES) if folder.is_dir() else []


def _meant(near: list[str]) -> str:
    return f"did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else ""


def _searched(folder: Path | None) -> str:
    own = "" if folder is None else "the folder of this file, "
    middle = [str(place) for place in catalog.places() if place.resolve() != catalog.shipped().resolve()]
    return f"searched: {own}{', '.join(middle)} and the trees that come with hieratk"
