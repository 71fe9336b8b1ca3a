"""Pages of family S. S010 is kept for keys of an older version of the language: there is none yet."""

from hieratk.taxonomy.rulebook.page import Rule

RULES = (
    Rule(
        code="S001",
        name="no-kind",
        severity="error",
        what="the first key is not `hieratk: taxonomy/1`",
        why="The first line says what the file is and in which version of the language it is written.",
        wrong=("# no key hieratk\ntree: {forest: 1}\n"),
        right=("hieratk: taxonomy/1\ntree: {forest: 1}\n"),
    ),
    Rule(
        code="S002",
        name="not-known-yet",
        severity="error",
        what="the document says something that only a newer hieratk reads",
        why="Guessing at a newer language would read a file half.",
        wrong=("hieratk: taxonomy/2\ntree: {forest: 1}\n"),
        right=("hieratk: taxonomy/1\ntree: {forest: 1}\n"),
    ),
    Rule(
        code="S003",
        name="unknown-key",
        severity="error",
        what="a key is not known",
        why="A misspelt key that is accepted is lost without a word. Content of your own goes under `meta`.",
        wrong=('tree: {forest: 1}\nclasses:\n  forest: {colour: "#006d2c"}\n'),
        right=('tree: {forest: 1}\nclasses:\n  forest: {color: "#006d2c"}\n'),
    ),
    Rule(
        code="S004",
        name="wrong-shape",
        severity="error",
        what="a value is a text, a list or a mapping where another of them is needed",
        why="Often a blank is missing after a colon, or the brackets around a single item.",
        wrong=("tree: {forest: 1}\nclasses:\n  forest: {synonyms: wood}\n"),
        right=("tree: {forest: 1}\nclasses:\n  forest: {synonyms: [wood]}\n"),
    ),
    Rule(
        code="S005",
        name="missing-key",
        severity="error",
        what="a required key is missing",
        why=(
            "A document needs `hieratk` and `tree`, a special value its `role`, an encoding its `dtype`, an "
            "attribute its `type`, a source its `title`, and `deprecated` says `since` when."
        ),
        wrong=("tree: {forest: 1}\nspecial:\n  cloud: {pixel: 255}\n"),
        right=("tree: {forest: 1}\nspecial:\n  cloud: {role: excluded, pixel: 255}\n"),
    ),
    Rule(
        code="S006",
        name="unknown-word",
        severity="error",
        what="a value is not one of the allowed words",
        why=(
            "Kinds, roles, dtypes and types of attributes are fixed words; levels are those that the document declares."
        ),
        wrong=("tree: {forest: 1, others: 2}\nclasses:\n  others: {kind: residal}\n"),
        right=("tree: {forest: 1, others: 2}\nclasses:\n  others: {kind: residual}\n"),
    ),
    Rule(
        code="S007",
        name="malformed-value",
        severity="error",
        what="a value is malformed: an integer, range, colour, version, list, date or address",
        why="Each of them has one way to be written, so that two files can be compared.",
        wrong="tree: {forest: 3-7}\n",
        right="tree: {forest: 3..7}\n",
    ),
    Rule(
        code="S008",
        name="no-value",
        severity="error",
        what="a key has no value",
        why=(
            "YAML reads it as null and most programs then take a default. Only a leaf in `tree` may be empty: it "
            "has no raster value."
        ),
        wrong=("tree: {forest: 1}\nclasses:\n  forest: {name: Forest, code: }\n"),
        right=("tree: {forest: 1}\nclasses:\n  forest: {name: Forest}\n"),
    ),
    Rule(
        code="S009",
        name="keys-at-odds",
        severity="error",
        what="keys exclude or need one another",
        why=(
            "`parts` needs `kind: mixed`, an `enum` needs `values`, `extend` needs `extends`, which takes the place of "
            "`tree`, and a raster value stands in `tree` or in `classes`, not in both."
        ),
        wrong=("tree: {forest: 1}\nclasses:\n  forest: {pixel: 2}\n"),
        right=("tree:\n  forest: {oak: 1, beech: 3}\nclasses:\n  forest: {pixel: 2}\n"),
    ),
    Rule(
        code="S011",
        name="id-and-file-name",
        severity="warning",
        what="`id` differs from the file name",
        why="A taxonomy is looked up by its file name and spoken of by its id.",
        wrong=("id: other_name\ntree: {forest: 1}\n"),
        right="tree: {forest: 1}\n",
    ),
)
