"""Crosswalks: how the classes of one tree relate to those of another.

A crosswalk is a document (`hieratk: crosswalk/1`, docs/crosswalks.md). From it follows a `Link` for each class of the
source; from a link follows the set of target leaves that a label of that class allows.

    crosswalk = load("esa_cci_lc_to_lclu")             # a shipped name, or a path; raises CrosswalkError
    crosswalk, problems = read_file(path)              # None where a finding is an error
    links = resolve(crosswalk, source, target)         # {class or special of the source: Link}; missing = unmapped
    allowed(link, target)                              # {leaf of the target: share or None}
    reverse(links, source, target)                     # {class of the target: Link to the source}
    compile(crosswalk, source, target)                 # numpy: Compiled, rows as in hieratk.compile(source)
    compose(ab, bc, a, b, c)                           # a crosswalk from a to c
    suggest(a, b)                                      # a draft: candidates with confidence and reason
    dump(crosswalk)                                    # the document
    trees(crosswalk, beside=path)                      # the two taxonomies it names

Nothing here loads torch; only `compile` loads numpy.
"""

from typing import TYPE_CHECKING, Any

from hieratk.crosswalk.catalog import check, find, load, names, trees
from hieratk.crosswalk.composition import compose
from hieratk.crosswalk.dump import dump
from hieratk.crosswalk.links import allowed, resolve, reverse
from hieratk.crosswalk.reader import read, read_file
from hieratk.crosswalk.suggestion import suggest
from hieratk.crosswalk.values import VERBS, Crosswalk, Entry, Link, Verb

if TYPE_CHECKING:
    from hieratk.crosswalk.tables import Compiled
    from hieratk.crosswalk.tables import compile_crosswalk as compile

__all__ = [
    "VERBS",
    "Compiled",
    "Crosswalk",
    "Entry",
    "Link",
    "Verb",
    "allowed",
    "check",
    "compile",
    "compose",
    "dump",
    "find",
    "load",
    "names",
    "read",
    "read_file",
    "resolve",
    "reverse",
    "suggest",
    "trees",
]


def __getattr__(name: str) -> Any:
    # Numpy takes longer to load than a crosswalk to check; who only checks one does not wait for it.
    if name in ("Compiled", "compile"):
        from hieratk.crosswalk import tables

        return tables.Compiled if name == "Compiled" else tables.compile_crosswalk
    raise AttributeError(f"module 'hieratk.crosswalk' has no attribute {name!r}")
