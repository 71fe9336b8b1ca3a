"""Pages of family T3."""

from hieratk.taxonomy.rulebook.page import Rule

RULES = (
    Rule(
        code="T301",
        name="siblings-same-color",
        severity="warning",
        what="siblings have the same colour",
        why="A map cannot show the difference between them.",
        wrong=('tree: {oak: 1, beech: 2}\nclasses:\n  oak: {color: "#006d2c"}\n  beech: {color: "#006d2c"}\n'),
        right=('tree: {oak: 1, beech: 2}\nclasses:\n  oak: {color: "#006d2c"}\n  beech: {color: "#41ab5d"}\n'),
    ),
    Rule(
        code="T302",
        name="leaves-same-color",
        severity="info",
        what="two leaves under different parents have the same colour",
        why="The map cannot be read back from its colours.",
        wrong=(
            "tree:\n"
            "  forest: {oak: 1, beech: 2}\n"
            "  water: {lake: 3, sea: 4}\n"
            "classes:\n"
            '  oak: {color: "#006d2c"}\n'
            '  beech: {color: "#41ab5d"}\n'
            '  lake: {color: "#006d2c"}\n'
            '  sea: {color: "#08306b"}\n'
        ),
        right=("tree:\n  forest: {oak: 1, beech: 2}\n  water: {lake: 3, sea: 4}\n"),
    ),
    Rule(
        code="T303",
        name="color-of-parent",
        severity="info",
        what="a child has the colour of its parent",
        why="In a legend with both levels they cannot be told apart.",
        wrong=(
            "tree:\n"
            "  forest: {oak: 1, beech: 2}\n"
            "classes:\n"
            '  forest: {color: "#006d2c"}\n'
            '  oak: {color: "#006d2c"}\n'
            '  beech: {color: "#41ab5d"}\n'
        ),
        right=(
            "tree:\n"
            "  forest: {oak: 1, beech: 2}\n"
            "classes:\n"
            '  forest: {color: "#004d1c"}\n'
            '  oak: {color: "#006d2c"}\n'
            '  beech: {color: "#41ab5d"}\n'
        ),
    ),
    Rule(
        code="T304",
        name="siblings-close-color",
        severity="info",
        what="colours of siblings are closer than 2.5 in CIEDE2000",
        why="Most people cannot tell them apart on a map. Looked at among up to 200 siblings.",
        wrong=('tree: {oak: 1, beech: 2}\nclasses:\n  oak: {color: "#006d2c"}\n  beech: {color: "#016e2d"}\n'),
        right=('tree: {oak: 1, beech: 2}\nclasses:\n  oak: {color: "#006d2c"}\n  beech: {color: "#41ab5d"}\n'),
    ),
    Rule(
        code="T305",
        name="color-of-special",
        severity="warning",
        what="a class has the colour of a special value",
        why="Pixels without an observation would look like the class.",
        wrong=(
            "tree: {oak: 1, beech: 2}\n"
            "special:\n"
            '  cloud: {role: excluded, pixel: 9, color: "#e0e0e0"}\n'
            "classes:\n"
            '  oak: {color: "#e0e0e0"}\n'
            '  beech: {color: "#41ab5d"}\n'
        ),
        right=(
            "tree: {oak: 1, beech: 2}\n"
            "special:\n"
            '  cloud: {role: excluded, pixel: 9, color: "#e0e0e0"}\n'
            "classes:\n"
            '  oak: {color: "#006d2c"}\n'
            '  beech: {color: "#41ab5d"}\n'
        ),
    ),
    Rule(
        code="T306",
        name="color-missing",
        severity="info",
        what="a class has no colour, though others have one",
        why="A colour is made up for it when a map is drawn.",
        wrong=('tree: {oak: 1, beech: 2}\nclasses:\n  oak: {color: "#006d2c"}\n'),
        right=('tree: {oak: 1, beech: 2}\nclasses:\n  oak: {color: "#006d2c"}\n  beech: {color: "#41ab5d"}\n'),
    ),
    Rule(
        code="T308",
        name="black-or-white",
        severity="info",
        what="a class is pure black or white",
        why="Both are often taken for no data.",
        wrong=('tree: {burnt: 1, beech: 2}\nclasses:\n  burnt: {color: "#000000"}\n  beech: {color: "#41ab5d"}\n'),
        right=('tree: {burnt: 1, beech: 2}\nclasses:\n  burnt: {color: "#1a1a1a"}\n  beech: {color: "#41ab5d"}\n'),
    ),
)
