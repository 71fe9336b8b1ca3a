"""Pages of family T0."""

from hieratk.taxonomy.rulebook.page import Rule

RULES = (
    Rule(
        code="T001",
        name="id-used-twice",
        severity="error",
        what="a class id is used twice in the taxonomy",
        why=(
            "An id names one class in metrics, maps and crosswalks. Names may repeat, ids may not, special values "
            "included."
        ),
        wrong=("tree:\n  forest: {oak: 1, pond: 2}\n  water: {lake: 3, pond: 4}\n"),
        right=("tree:\n  forest: {oak: 1, forest_pond: 2}\n  water: {lake: 3, pond: 4}\n"),
    ),
    Rule(
        code="T002",
        name="code-used-twice",
        severity="error",
        what="an official code is used twice",
        why="A crosswalk may refer to a class by its code.",
        wrong=('tree: {forest: 1, water: 2}\nclasses:\n  forest: {code: "31"}\n  water: {code: "31"}\n'),
        right=('tree: {forest: 1, water: 2}\nclasses:\n  forest: {code: "31"}\n  water: {code: "32"}\n'),
    ),
    Rule(
        code="T003",
        name="name-used-twice",
        severity="warning",
        what="two classes have the same name",
        why="Nobody can tell them apart in a legend.",
        wrong=("tree: {forest: 1, wood: 2}\nclasses:\n  wood: {name: Forest}\n"),
        right="tree: {forest: 1, wood: 2}\n",
    ),
    Rule(
        code="T004",
        name="name-of-ancestor",
        severity="info",
        what="a class repeats the name of a class above it",
        why="Usual in official legends (Pastures 23 and 231), and still confusing in a table.",
        wrong=("tree:\n  pastures: {pastures_only: 1, meadows: 2}\nclasses:\n  pastures_only: {name: Pastures}\n"),
        right=("tree:\n  pastures: {pastures_only: 1, meadows: 2}\n"),
    ),
    Rule(
        code="T005",
        name="malformed-id",
        severity="error",
        what="an id is not made of lower-case letters, digits and single underscores",
        why="Ids become file names, column names and keys. The name that people see is `name`.",
        wrong="tree: {Dense Forest: 1}\n",
        right=("tree: {dense_forest: 1}\nclasses:\n  dense_forest: {name: Dense Forest}\n"),
    ),
    Rule(
        code="T006",
        name="id-is-a-word-of-yaml",
        severity="warning",
        what="an unquoted id is a truth value or null to other YAML readers",
        why="`no`, `on`, `null` and the like are not text to every YAML reader.",
        wrong="tree: {forest: 1, no: 2}\n",
        right="tree: {forest: 1, none_of_these: 2}\n",
    ),
    Rule(
        code="T007",
        name="code-is-an-id",
        severity="error",
        what="the code of one class equals the id of another",
        why="A crosswalk may use either, so that a reference would be ambiguous.",
        wrong=('tree: {w: 1, water: 2}\nclasses:\n  water: {code: "w"}\n'),
        right=('tree: {w: 1, water: 2}\nclasses:\n  water: {code: "W2"}\n'),
    ),
    Rule(
        code="T008",
        name="code-and-pattern",
        severity="warning",
        what="a code does not match `codes.pattern`",
        why="The pattern is what the official list promises.",
        wrong=('codes: {pattern: "[0-9]{3}"}\ntree: {forest: 1}\nclasses:\n  forest: {code: "31"}\n'),
        right=('codes: {pattern: "[0-9]{3}"}\ntree: {forest: 1}\nclasses:\n  forest: {code: "310"}\n'),
    ),
    Rule(
        code="T009",
        name="code-and-parent",
        severity="warning",
        what="with `codes.nesting: prefix`, a code does not begin with the code of its parent",
        why="The outline is the truth about the tree; numbers in codes only check it. One of the two is wrong.",
        wrong=(
            "codes: {nesting: prefix}\n"
            "tree:\n"
            "  forest: {oak: 1, beech: 2}\n"
            "classes:\n"
            '  forest: {code: "3"}\n'
            '  oak: {code: "41"}\n'
        ),
        right=(
            "codes: {nesting: prefix}\n"
            "tree:\n"
            "  forest: {oak: 1, beech: 2}\n"
            "classes:\n"
            '  forest: {code: "3"}\n'
            '  oak: {code: "31"}\n'
        ),
    ),
    Rule(
        code="T010",
        name="prefix-without-class",
        severity="info",
        what="with `codes.nesting: prefix`, siblings share a prefix that is no class",
        why=(
            "Codes that are longer than those of their siblings have skipped a level: the class between is missing, "
            "or `level:` is."
        ),
        wrong=(
            "codes: {nesting: prefix}\n"
            "tree: {oak: 1, beech: 2, water: 3}\n"
            "classes:\n"
            '  oak: {code: "31"}\n'
            '  beech: {code: "32"}\n'
            '  water: {code: "4"}\n'
        ),
        right=(
            "codes: {nesting: prefix}\n"
            "tree:\n"
            "  forest: {oak: 1, beech: 2}\n"
            "  water: 3\n"
            "classes:\n"
            '  forest: {code: "3"}\n'
            '  oak: {code: "31"}\n'
            '  beech: {code: "32"}\n'
            '  water: {code: "4"}\n'
        ),
    ),
    Rule(
        code="T011",
        name="ids-almost-equal",
        severity="info",
        what="two ids are one letter or one plural apart",
        why="One of them may be a slip, and references to the one are easily written for the other.",
        wrong="tree: {esparsette: 1, esparsete: 2}\n",
        right="tree: {esparsette: 1, lucerne: 2}\n",
        off=True,
    ),
)
