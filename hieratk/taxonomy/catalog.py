"""Names and paths to class trees: where a taxonomy is looked for, and what is said where it is not found.

A name is looked up in `taxonomies/` of the current directory, in the folders of the environment variable
`HIERATK_TAXONOMIES` (separated as in PATH, read at each call), and among the trees that come with hieratk.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from hieratk.diagnostics import Problem, nearest, render
from hieratk.errors import TaxonomyError
from hieratk.taxonomy.reader import read_file
from hieratk.taxonomy.tree import Taxonomy

_SUFFIXES = (".yaml", ".yml")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def load(name_or_path: str | Path) -> Taxonomy:
    """The taxonomy of a file or of a name.

    Raises TaxonomyError where nothing is found, and where the document has errors: the text then holds all of them,
    each with its place.
    """
    path = find(name_or_path)
    taxonomy, problems = read_file(path)
    if taxonomy is None:
        errors = [problem for problem in problems if problem.severity == "error"]
        raise TaxonomyError(f"taxonomy {path} has errors\n\n{render(errors)}".rstrip())
    return taxonomy


def validate(name_or_path: str | Path) -> list[Problem]:
    """All findings about the document of a file or of a name, in the order of the text; none for a faultless one.

    Raises TaxonomyError where nothing is found.
    """
    return read_file(find(name_or_path))[1]


def names() -> tuple[str, ...]:
    """Every name that `load` knows here and now, in alphabetical order."""
    return tuple(sorted({name for place in places() for name, _ in _listed(place)}))


def find(name_or_path: str | Path) -> Path:
    """The file of a taxonomy: a path as it is, or the first place that has the name.

    Raises TaxonomyError with the places searched and, where a name is near, the name that may be meant.
    """
    given = str(name_or_path)
    path = Path(name_or_path)
    if path.is_file():
        return path
    if isinstance(name_or_path, Path) or not _NAME.fullmatch(given):
        raise TaxonomyError(_no_such_file(path))
    for place in places():
        for name, file in _listed(place):
            if name == given:
                return file
    guesses = nearest(given, names())
    meant = f"; did you mean {' or '.join(f'`{guess}`' for guess in guesses)}?" if guesses else "."
    searched = ", ".join(str(place) for place in places())
    raise TaxonomyError(
        f"no taxonomy `{given}`{meant} Searched: {searched}."
        " `hieratk taxonomy list` shows every name; a file is given by its path."
    )


def places() -> tuple[Path, ...]:
    """The folders in which names are looked up, first come first; those that do not exist are among them."""
    found = [Path("taxonomies")]
    found += [Path(entry) for entry in os.environ.get("HIERATK_TAXONOMIES", "").split(os.pathsep) if entry]
    found.append(shipped())
    first: dict[Path, Path] = {}
    for place in found:
        first.setdefault(place.resolve(), place)
    return tuple(first.values())


def shipped() -> Path:
    """The folder of the trees that come with hieratk: inside the package once installed, beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "taxonomies"
    return inside if inside.is_dir() else package.parent / "taxonomies"


def _listed(place: Path) -> Iterator[tuple[str, Path]]:
    if not place.is_dir():
        return
    for file in sorted(place.iterdir()):
        if file.suffix in _SUFFIXES and file.is_file() and _is_taxonomy(file):
            yield file.stem, file


def _is_taxonomy(file: Path) -> bool:
    # A broken taxonomy must be found, so that its faults are shown; only a file of another kind is left out.
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    except OSError:
        return True
    return not first.startswith("hieratk: crosswalk/")


def _no_such_file(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a directory; give the path of one taxonomy file in it, such as {path / 'my_tree.yaml'}"
    if path.exists():
        return f"{path} is not a regular file; give the path of a taxonomy file"
    folder = path.parent
    if not folder.is_dir():
        return f"no file {path}: the folder {folder} does not exist"
    guesses = nearest(path.name, [file.name for file in folder.iterdir() if file.suffix in _SUFFIXES])
    meant = f"; did you mean {' or '.join(str(folder / guess) for guess in guesses)}?" if guesses else ""
    return f"no file {path}{meant}"
