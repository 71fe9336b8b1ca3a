"""Pages of family V: what `hieratk taxonomy diff OLD NEW` says. `beside` holds the old document, the examples are the
new one.
"""

from hieratk.taxonomy.rulebook.page import Rule

_OLD = "version: 1.2.0\ntree: {forest: 1, water: 2}\n"


def _beside(text: str = _OLD) -> tuple[tuple[str, str], ...]:
    return (("old.yaml", "hieratk: taxonomy/1\n" + text),)


RULES = (
    Rule(
        code="V001",
        name="class-removed",
        severity="error",
        what="a class is removed without having been deprecated",
        why=(
            "Rasters and models that hold it lose its meaning. Deprecate a class first and name what to use; a later"
            " major version may then drop it. Major."
        ),
        wrong="version: 2.0.0\ntree: {forest: 1}\n",
        right=(
            "version: 1.3.0\n"
            "tree: {forest: 1, water: 2}\n"
            "classes:\n"
            "  water: {deprecated: {since: 1.3.0, use: [forest]}}\n"
        ),
        beside=_beside(),
    ),
    Rule(
        code="V002",
        name="class-renamed",
        severity="error",
        what="the id or the code of a class, or the name of a level, is changed",
        why=(
            "Run files, crosswalks and checkpoints refer to it. A class with another id counts as renamed where its"
            " code, pixel values, name or colour say that it is the same. Names for people are free to change. Major."
        ),
        wrong="version: 2.0.0\ntree: {woods: 1, water: 2}\n",
        right="version: 1.2.1\ntree: {forest: 1, water: 2}\nclasses:\n  forest: {name: Woods}\n",
        beside=_beside(),
    ),
    Rule(
        code="V003",
        name="pixel-changed",
        severity="error",
        what="a pixel value is changed or means another class now",
        why="Rasters that exist would be read wrongly, without any error. A new class takes a value never used. Major.",
        wrong="version: 2.0.0\ntree: {forest: 1, water: 3}\n",
        right="version: 1.3.0\ntree: {forest: 1, water: [2, 3]}\n",
        beside=_beside(),
    ),
    Rule(
        code="V004",
        name="class-moved",
        severity="error",
        what="a class hangs under another parent or on another level",
        why="What its old parent and its new one mean has changed with it, in every map of those levels. Major.",
        wrong="version: 2.0.0\ntree:\n  green: {forest: 1}\n  water: 2\n",
        right="version: 1.3.0\ntree:\n  forest: {oak: 3, beech: 4}\n  water: 2\nclasses:\n  forest: {pixel: 1}\n",
        beside=_beside(),
    ),
    Rule(
        code="V005",
        name="indices-move",
        severity="warning",
        what="the order of the classes is changed, or one is deprecated",
        why=(
            "Labels mean the same, but the outputs of a model are numbered in another way. Checkpoints hold their tree,"
            " so that hieratk brings them into order by id; anything that kept bare numbers is wrong now. Minor."
        ),
        wrong="version: 1.3.0\ntree: {water: 2, forest: 1}\n",
        right="version: 1.3.0\ntree: {forest: 1, water: 2, ice: 3}\n",
        beside=_beside(),
    ),
    Rule(
        code="V006",
        name="kind-changed",
        severity="warning",
        what="the kind of a class, the parts of a mixture or the role of a special value is changed",
        why="A label of it allows other leaves than before. Major.",
        wrong="version: 2.0.0\ntree: {forest: 1, water: 2}\nclasses:\n  water: {kind: residual}\n",
        right='version: 1.2.1\ntree: {forest: 1, water: 2}\nclasses:\n  water: {color: "#0000ff"}\n',
        beside=_beside(),
    ),
    Rule(
        code="V007",
        name="class-added",
        severity="info",
        what="a class, a special value, an encoding or a value is added",
        why="What exists keeps its meaning; the indices of later classes move. Minor.",
        wrong="version: 1.3.0\ntree: {forest: 1, water: 2, ice: 3}\n",
        right=_OLD,
        beside=_beside(),
    ),
    Rule(
        code="V008",
        name="texts-changed",
        severity="info",
        what="names, translations, colours, attributes or other remarks are changed",
        why="Nothing that a raster or a model holds depends on them. Patch.",
        wrong="version: 1.2.1\ntree: {forest: 1, water: 2}\nclasses:\n  forest: {name: Woods}\n",
        right=_OLD,
        beside=_beside(),
    ),
    Rule(
        code="V009",
        name="version-raised-too-little",
        severity="error",
        what="the version number is raised too little for the changes",
        why=(
            "Extensions, crosswalks and run files pin versions, and trust that within one major version nothing that"
            " they use is lost. Patch for texts and colours; minor for what is added and for the order; major for what"
            " is removed, renamed, moved, or has another pixel value or kind. Files without a version are not asked for"
            " one."
        ),
        wrong="version: 1.2.1\ntree: {forest: 1, water: 2, ice: 3}\n",
        right="version: 1.3.0\ntree: {forest: 1, water: 2, ice: 3}\n",
        beside=_beside(),
    ),
)
