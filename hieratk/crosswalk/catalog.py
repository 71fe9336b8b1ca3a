"""Names and paths to crosswalks, and from a crosswalk to its two trees."""

from __future__ import annotations

from pathlib import Path

from hieratk.crosswalk.places import NAME, SUFFIXES, is_crosswalk, places, tree
from hieratk.crosswalk.reader import read_file
from hieratk.crosswalk.values import Crosswalk
from hieratk.diagnostics import Problem, nearest, render
from hieratk.errors import CrosswalkError
from hieratk.taxonomy.bases import Missing
from hieratk.taxonomy.tree import Taxonomy


def load(name_or_path: str | Path) -> Crosswalk:
    """The crosswalk of a file or of a name.

    Raises CrosswalkError where nothing is found, and where the document has errors: the text then holds all of them,
    each with its place.
    """
    path = find(name_or_path)
    crosswalk, problems = read_file(path)
    if crosswalk is None:
        errors = [problem for problem in problems if problem.severity == "error"]
        raise CrosswalkError(f"crosswalk {path} has errors\n\n{render(errors)}".rstrip())
    return crosswalk


def check(name_or_path: str | Path) -> list[Problem]:
    """All findings about the document of a file or of a name, in the order of the text. Raises CrosswalkError where
    nothing is found."""
    return read_file(find(name_or_path))[1]


def trees(crosswalk: Crosswalk, *, beside: str | Path | None = None) -> tuple[Taxonomy, Taxonomy]:
    """The two taxonomies that a crosswalk names.

    `beside` is the file of the crosswalk, where it names trees by path or has them as neighbours; by default names are
    looked up from the current folder. Raises CrosswalkError where one is not found, has errors, or is of another
    version than the crosswalk is for.
    """
    from packaging.specifiers import SpecifierSet

    file = str(Path("crosswalk.yaml") if beside is None else Path(beside))
    found = []
    for name, bounds in ((crosswalk.from_id, crosswalk.from_version), (crosswalk.to_id, crosswalk.to_version)):
        taxonomy = tree(name, file=file)
        if isinstance(taxonomy, Missing):
            way = "; ".join(filter(None, (taxonomy.message, taxonomy.help, *taxonomy.notes)))
            raise CrosswalkError(f"crosswalk `{crosswalk.id}` names `{name}`: {way}")
        if not SpecifierSet(bounds).contains(taxonomy.version):
            raise CrosswalkError(
                f"crosswalk `{crosswalk.id}` is for `{name}` {bounds}, and the taxonomy found is version"
                f" {taxonomy.version}; look at what has changed, then widen the bounds"
            )
        found.append(taxonomy)
    return found[0], found[1]


def names() -> tuple[str, ...]:
    """Every name that `load` knows here and now, in alphabetical order."""
    return tuple(sorted({file.stem for place in places() for file in _listed(place)}))


def find(name_or_path: str | Path) -> Path:
    """The file of a crosswalk: a path as it is, or the first place that has the name.

    Raises CrosswalkError with the places searched and, where a name is near, the name that may be meant.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    given = str(name_or_path)
    if path.is_dir():
        raise CrosswalkError(f"{path} is a folder; name the file of a crosswalk in it")
    if isinstance(name_or_path, Path) or not NAME.fullmatch(given):
        folder = path.parent
        near = nearest(path.name, [file.name for file in _listed(folder)])
        meant = f"; did you mean {folder / near[0]}?" if near else ""
        raise CrosswalkError(f"there is no file {path}{meant}")
    for place in places():
        for file in _listed(place):
            if file.stem == given:
                return file
    guesses = [f"`{guess}`" for guess in nearest(given, names())]
    meant = f"; did you mean {' or '.join(guesses)}?" if guesses else "."
    searched = ", ".join(str(place) for place in places())
    raise CrosswalkError(f"no crosswalk `{given}`{meant} Searched: {searched}. A file is given by its path.")


def _listed(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    return [file for file in sorted(place.iterdir()) if file.suffix in SUFFIXES and is_crosswalk(file)]
