"""From names to a remap table: the trees, and what connects them."""

from __future__ import annotations

from pathlib import Path

from hieratk.crosswalk import find, load, names, resolve, trees
from hieratk.errors import CrosswalkError, TaxonomyError
from hieratk.remap.legend import encoding_legend, level_legend
from hieratk.remap.table import RemapTable, same_or_extends, table
from hieratk.taxonomy.catalog import load as load_tree
from hieratk.taxonomy.tree import Taxonomy


def connect(
    source: str | Path,
    *,
    encoding: str | None = None,
    crosswalk: str | Path | None = None,
    to: str | Path | None = None,
    level: str | None = None,
    to_encoding: str | None = None,
) -> RemapTable:
    """The table from a legend to another; exactly one of `crosswalk`, `to` and `level` says to which.

    Args:
        source: the tree of the raster that is read, a name or a path; encoding: which of its encodings.
        crosswalk: a crosswalk from that tree, a name or a path.
        to: another tree: the same one (then for another encoding), one that extends the other, or one that exactly one
            known crosswalk leads to.
        level: a level of the same tree.
        to_encoding: which encoding of the target is written; `default` or the only one without it.

    Raises TaxonomyError or CrosswalkError where nothing connects the trees.
    """
    if sum(choice is not None for choice in (crosswalk, to, level)) != 1:
        raise TaxonomyError("say where to, by exactly one of: a crosswalk, another tree, a level of the same tree")
    tree = load_tree(source)
    if level is not None:
        legend = level_legend(tree, level, to_encoding)
        return table(tree, legend, encoding=encoding, way=f"level {level} of {tree.id}")
    if crosswalk is not None:
        return _by_crosswalk(tree, find(crosswalk), encoding, to_encoding)
    assert to is not None
    target = load_tree(to)
    way = same_or_extends(tree, target)
    if way:
        return table(tree, encoding_legend(target, to_encoding), encoding=encoding, way=way)
    return _by_crosswalk(tree, _only_crosswalk(tree, target), encoding, to_encoding)


def _by_crosswalk(tree: Taxonomy, path: Path, encoding: str | None, to_encoding: str | None) -> RemapTable:
    found = load(path)
    source, target = trees(found, beside=path)
    if source.fingerprint != tree.fingerprint:
        other = f"; it reads {source.id} {source.version}" if source.id != tree.id else f": {source.difference(tree)}"
        raise CrosswalkError(f"crosswalk `{found.id}` is not from `{tree.id}` {tree.version}{other}")
    links = resolve(found, tree, target)
    legend = encoding_legend(target, to_encoding)
    return table(tree, legend, encoding=encoding, links=links, way=f"crosswalk {found.id}")


def _only_crosswalk(tree: Taxonomy, target: Taxonomy) -> Path:
    fitting, backwards = [], []
    for name in names():
        # Checking a crosswalk reads two trees: only those that name both.
        text = find(name).read_text(encoding="utf-8", errors="replace")
        if tree.id not in text or target.id not in text:
            continue
        try:
            known = load(name)
        except CrosswalkError:
            continue
        if (known.from_id, known.to_id) == (tree.id, target.id):
            fitting.append(name)
        elif (known.to_id, known.from_id) == (tree.id, target.id):
            backwards.append(name)
    if len(fitting) == 1:
        return find(fitting[0])
    if fitting:
        raise CrosswalkError(
            f"{len(fitting)} crosswalks lead from `{tree.id}` to `{target.id}`: {', '.join(fitting)}; choose one with"
            " --crosswalk"
        )
    back = f" ({', '.join(backwards)} leads the other way)" if backwards else ""
    raise CrosswalkError(
        f"nothing connects `{tree.id}` and `{target.id}`: they are not the same tree, neither extends the other, and no"
        f" known crosswalk leads there{back}; `hieratk crosswalk suggest {tree.id} {target.id}` drafts one"
    )
