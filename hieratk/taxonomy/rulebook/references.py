"""Pages of families T6 and T7."""

from hieratk.taxonomy.rulebook.page import Rule

LAND = (
    "land.yaml",
    "hieratk: taxonomy/1\n"
    "version: 1.2.0\n"
    "license: CC-BY-SA-4.0\n"
    "levels: [cover, type]\n"
    "tree:\n"
    "  plants: {cropland: 1, forest: 2}\n"
    "  water: 3\n"
    "classes:\n"
    '  cropland: {code: "21"}\n',
)
"""A base for examples."""

_EXTENDS = 'extends: {taxonomy: land, version: ">=1.0,<2"}\nlevels: [cover, type, crop]\n'

RULES = (
    Rule(
        code="T601",
        name="unknown-class",
        severity="error",
        what="a class is named that is not in the tree",
        why="Also for a line under `classes`, so that the outline and the properties cannot drift apart.",
        wrong=("tree: {forest: 1, rise: 2}\nclasses:\n  rice: {name: Rice}\n"),
        right=("tree: {forest: 1, rice: 2}\nclasses:\n  rice: {name: Rice}\n"),
    ),
    Rule(
        code="T602",
        name="base-not-found",
        severity="error",
        what="the taxonomy that is extended is not found, or has errors of its own",
        why=(
            "It is looked up by its name beside the file, in `taxonomies/` of the project, in the folders of "
            "HIERATK_TAXONOMIES and among the trees that come with hieratk. A path leads into the same folders only."
        ),
        wrong='extends: {taxonomy: lannd, version: ">=1.0,<2"}\nextend:\n  cropland: {rice: 11, maize: 12}\n',
        right=_EXTENDS + "extend:\n  cropland: {rice: 11, maize: 12}\n",
        beside=(LAND,),
    ),
    Rule(
        code="T603",
        name="base-version",
        severity="error",
        what="the version of the base is not in the range that is given",
        why="The range says with which versions the extension was tried. It is written as in PEP 440.",
        wrong=(
            'extends: {taxonomy: land, version: ">=2,<3"}\n'
            "levels: [cover, type, crop]\n"
            "extend:\n"
            "  cropland: {rice: 11, maize: 12}\n"
        ),
        right=_EXTENDS + "extend:\n  cropland: {rice: 11, maize: 12}\n",
        beside=(LAND,),
    ),
    Rule(
        code="T604",
        name="extension-circle",
        severity="error",
        what="taxonomies extend one another in a circle",
        why="None of them says where the tree begins.",
        wrong='extends: {taxonomy: other, version: ">=1"}\nextend:\n  cropland: {rice: 11, maize: 12}\n',
        right=_EXTENDS + "extend:\n  cropland: {rice: 11, maize: 12}\n",
        beside=(
            LAND,
            (
                "other.yaml",
                "hieratk: taxonomy/1\n"
                "version: 1.0.0\n"
                'extends: {taxonomy: example, version: ">=0"}\n'
                "extend:\n"
                "  rice: {early_rice: 21, late_rice: 22}\n",
            ),
        ),
    ),
    Rule(
        code="T605",
        name="extend-unknown-class",
        severity="error",
        what="`extend` names a class that the base does not have",
        why="New classes hang below classes of the base; there is no other place for them.",
        wrong=_EXTENDS + "extend:\n  cropand: {rice: 11, maize: 12}\n",
        right=_EXTENDS + "extend:\n  cropland: {rice: 11, maize: 12}\n",
        beside=(LAND,),
    ),
    Rule(
        code="T606",
        name="base-class-declared-again",
        severity="error",
        what="a class or special value of the base is declared again",
        why="It is there already. Classes are hung below it, and `classes` may add names, colours and the like.",
        wrong=_EXTENDS + "extend:\n  plants:\n    cropland: {rice: 11, maize: 12}\n",
        right=_EXTENDS + "extend:\n  cropland: {rice: 11, maize: 12}\n",
        beside=(LAND,),
    ),
    Rule(
        code="T607",
        name="locked-by-base",
        severity="error",
        what="an extension changes what the base has fixed",
        why=(
            "Labels and weights of the base keep their meaning: code, kind, raster value, level and further parents of "
            "its classes stay, and so do the declarations of its encodings and attributes."
        ),
        wrong=_EXTENDS + 'extend:\n  cropland: {rice: 11, maize: 12}\nclasses:\n  cropland: {code: "22"}\n',
        right=_EXTENDS + 'extend:\n  cropland: {rice: 11, maize: 12}\nclasses:\n  cropland: {color: "#ffe08a"}\n',
        beside=(LAND,),
    ),
    Rule(
        code="T608",
        name="deprecated-without-use",
        severity="warning",
        what="a class is deprecated, but nothing says what to use",
        why="Its pixels are then labels of the parent only.",
        wrong=("tree: {lake: 1, reservoir: 2}\nclasses:\n  reservoir: {deprecated: {since: 1.0.0}}\n"),
        right=("tree: {lake: 1, reservoir: 2}\nclasses:\n  reservoir: {deprecated: {since: 1.0.0, use: [lake]}}\n"),
    ),
    Rule(
        code="T609",
        name="replacement-unusable",
        severity="error",
        what="a replacement does not exist, or is deprecated itself",
        why="Old labels must lead to a class that is in use.",
        wrong=("tree: {lake: 1, reservoir: 2}\nclasses:\n  reservoir: {deprecated: {since: 1.0.0, use: [lakes]}}\n"),
        right=("tree: {lake: 1, reservoir: 2}\nclasses:\n  reservoir: {deprecated: {since: 1.0.0, use: [lake]}}\n"),
    ),
    Rule(
        code="T610",
        name="live-child-of-deprecated",
        severity="warning",
        what="a deprecated class has children in use",
        why="The class still stands on every path to them.",
        wrong=(
            "tree:\n"
            "  wet: {bog: 1, fen: 2}\n"
            "  water: 3\n"
            "classes:\n"
            "  wet: {deprecated: {since: 1.0.0, use: [water]}}\n"
            "  fen: {deprecated: {since: 1.0.0, use: [water]}}\n"
        ),
        right=(
            "tree:\n  wet: {bog: 1, fen: 2}\n  water: 3\nclasses:\n  fen: {deprecated: {since: 1.0.0, use: [bog]}}\n"
        ),
    ),
    Rule(
        code="T701",
        name="attribute-not-declared",
        severity="error",
        what="an attribute is not declared",
        why="Declared once under `attributes`, it has a type that its values can be checked against.",
        wrong=("tree: {forest: 1}\nclasses:\n  forest: {attrs: {evergreen: true}}\n"),
        right=(
            "tree: {forest: 1}\n"
            "classes:\n"
            "  forest: {attrs: {evergreen: true}}\n"
            "attributes:\n"
            "  evergreen: {type: bool}\n"
        ),
    ),
    Rule(
        code="T702",
        name="attribute-value",
        severity="error",
        what="the value of an attribute is not of its type, or not in its list",
        why="`bool` is true or false, `range` is 2..5, 2.. or ..5, `enum` is one of its `values`.",
        wrong=(
            "tree: {forest: 1}\n"
            "classes:\n"
            "  forest: {attrs: {height: tall}}\n"
            "attributes:\n"
            "  height: {type: range, unit: m}\n"
        ),
        right=(
            "tree: {forest: 1}\n"
            "classes:\n"
            "  forest: {attrs: {height: 5..}}\n"
            "attributes:\n"
            "  height: {type: range, unit: m}\n"
        ),
    ),
    Rule(
        code="T703",
        name="attribute-without-unit",
        severity="warning",
        what="a number or range is declared without a unit",
        why='5 metres and 5 feet are not the same tree. Write `unit: "1"` for a plain number.',
        wrong=("tree: {forest: 1}\nattributes:\n  height: {type: range}\n"),
        right=("tree: {forest: 1}\nattributes:\n  height: {type: range, unit: m}\n"),
    ),
    Rule(
        code="T704",
        name="attribute-inherited",
        severity="info",
        what="an attribute repeats the value inherited from a class above",
        why="Attributes hold for everything below a class.",
        wrong=(
            "tree:\n"
            "  forest: {oak: 1, beech: 2}\n"
            "classes:\n"
            "  forest: {attrs: {woody: true}}\n"
            "  oak: {attrs: {woody: true}}\n"
            "attributes:\n"
            "  woody: {type: bool}\n"
        ),
        right=(
            "tree:\n"
            "  forest: {oak: 1, beech: 2}\n"
            "classes:\n"
            "  forest: {attrs: {woody: true}}\n"
            "attributes:\n"
            "  woody: {type: bool}\n"
        ),
    ),
)
