"""Trees and crosswalks as people name them on the command line."""

from __future__ import annotations

import os
from pathlib import Path

from hieratk.diagnostics import Source
from hieratk.documents import Mapping, Scalar, compose, read_source
from hieratk.errors import TransferError
from hieratk.taxonomy import catalog
from hieratk.taxonomy.tree import Taxonomy
from hieratk.transfer.align import connects

_SUFFIXES = (".yaml", ".yml")


def tree(name: str) -> Taxonomy:
    """The taxonomy of a file or of a name: `lclu.yaml` is the file of that name, or else what `lclu` is a name of.

    Raises TaxonomyError where there is neither, or where the document has errors.
    """
    path = Path(name)
    bare = path.name == name and path.suffix in _SUFFIXES
    if bare and not path.exists() and path.stem in catalog.names():
        return catalog.load(path.stem)
    return catalog.load(name)


def crosswalk_between(source: Taxonomy, target: Taxonomy) -> str | None:
    """The name of the one crosswalk among those found by name that connects two trees, or None where there is none.

    One from the source to the target goes before one that leads back. Raises TransferError where several lead the same
    way.
    """
    from hieratk import crosswalk

    there, back = [], []
    for name in crosswalk.names():
        ends = _ends(crosswalk.find(name))
        if ends is None or {_stem(end) for end, _ in ends} != {source.id, target.id}:
            continue
        if connects(ends, source, target):
            there.append(name)
        elif connects(ends, target, source):
            back.append(name)
    found = there or back
    if len(found) > 1:
        raise TransferError(
            f"several crosswalks connect {source.id} and {target.id}: {', '.join(found)}; choose one with --crosswalk"
        )
    return found[0] if found else None


def _stem(name: str) -> str:
    return Path(name).stem if name.endswith(_SUFFIXES) else name


def _ends(path: str | os.PathLike[str]) -> tuple[tuple[str, str], tuple[str, str]] | None:
    """The two trees that a crosswalk names and the versions it is for; only the head of the document is read."""
    source, problems = read_source(path)
    if problems:
        return None
    head, _, _ = source.text.partition("\nmap:")
    for text in (head, source.text):
        document, _ = compose(Source(source.name, text + "\n"))
        found = [_end(document, key) for key in ("from", "to")]
        if found[0] is not None and found[1] is not None:
            return found[0], found[1]
    return None


def _end(document: object, key: str) -> tuple[str, str] | None:
    part = document.get(key) if isinstance(document, Mapping) else None
    if not isinstance(part, Mapping):
        return None
    name, version = part.get("taxonomy"), part.get("version")
    if not isinstance(name, Scalar):
        return None
    return name.text, version.text if isinstance(version, Scalar) else ""
