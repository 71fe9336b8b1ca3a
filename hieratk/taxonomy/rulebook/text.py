"""Pages of family Y."""

from hieratk.taxonomy.rulebook.page import Rule

RULES = (
    Rule(
        code="Y001",
        name="not-yaml",
        severity="error",
        what="the text is not YAML",
        why=(
            "Shown only where no more precise rule explains the stop. The parser stops where it can go no further; "
            "the fault is often a line or two above: a bracket or a quote left open, a comma left out, a line "
            "indented by one blank too many."
        ),
        wrong=("tree:\n  vegetation: {rice: 1, maize: 2\n  water: 3\n"),
        right=("tree:\n  vegetation: {rice: 1, maize: 2}\n  water: 3\n"),
    ),
    Rule(
        code="Y002",
        name="not-text",
        severity="error",
        what="the file is not UTF-8, or holds control characters",
        why=(
            "A file in another encoding shows other letters on each machine, and control characters come from "
            "binaries or broken copies."
        ),
        wrong="tree: {forest\u0000: 1}\n",
        right="tree: {forest: 1}\n",
    ),
    Rule(
        code="Y003",
        name="byte-order-mark",
        severity="warning",
        what="the file begins with a byte-order mark",
        why="Some YAML readers count it as a character, some refuse it. It has no use in UTF-8.",
        wrong=("\ufeffhieratk: taxonomy/1\ntree: {forest: 1}\n"),
        right=("hieratk: taxonomy/1\ntree: {forest: 1}\n"),
    ),
    Rule(
        code="Y004",
        name="tab-indentation",
        severity="error",
        what="a tab is used for indentation",
        why="YAML takes blanks only, because nobody agrees how wide a tab is.",
        wrong=("tree:\n\tforest: 1\n"),
        right=("tree:\n  forest: 1\n"),
    ),
    Rule(
        code="Y005",
        name="several-documents",
        severity="error",
        what="the file holds several documents, a `%` directive or `...`",
        why="One file is one taxonomy, so that a path means one thing.",
        wrong=("tree: {forest: 1}\n---\nhieratk: taxonomy/1\ntree: {water: 1}\n"),
        right="tree: {forest: 1}\n",
    ),
    Rule(
        code="Y006",
        name="text-needs-quotes",
        severity="error",
        what="unquoted text holds `: ` or ` #`, or begins with a sign that means something to YAML",
        why=(
            "`> @ % * & ! | ? -` and the backtick begin something else in YAML, `: ` begins a value and ` #` a "
            "comment. Six of 2,260 official class names need quotes for this reason."
        ),
        wrong=("tree: {forest: 1}\nclasses:\n  forest:\n    name: Forest: dense\n"),
        right=('tree: {forest: 1}\nclasses:\n  forest:\n    name: "Forest: dense"\n'),
    ),
    Rule(
        code="Y007",
        name="duplicate-key",
        severity="error",
        what="a key is given twice in one mapping",
        why="YAML readers keep the last of two equal keys and say nothing: half of what was written is lost.",
        wrong="tree: {forest: 1, water: 2, forest: 3}\n",
        right="tree: {forest: [1, 3], water: 2}\n",
    ),
    Rule(
        code="Y008",
        name="yaml-extra",
        severity="error",
        what="an anchor, alias, merge key or tag, or a key that is not plain text",
        why=(
            "They make one line mean something written elsewhere, so that a message cannot point at one place. Text "
            "that begins with `&`, `*` or `!` needs quotes."
        ),
        wrong="tree: {forest: &value 1}\n",
        right="tree: {forest: 1}\n",
    ),
    Rule(
        code="Y009",
        name="full-width-punctuation",
        severity="error",
        what="full-width punctuation where YAML needs ASCII",
        why=(
            "Chinese and Japanese keyboards write ： ， ｛ ｝ “ ” by default. They are fine inside a name, not in "
            "place of `:` or `,`."
        ),
        wrong=("tree:\n  forest：1\n  water: 2\n"),
        right=("tree:\n  forest: 1\n  water: 2\n"),
    ),
    Rule(
        code="Y010",
        name="no-blank-after-colon",
        severity="error",
        what="no blank after a colon",
        why="`{rice:2}` is one key named `rice:2` without a value.",
        wrong="tree: {forest: 1, rice:2}\n",
        right="tree: {forest: 1, rice: 2}\n",
    ),
    Rule(
        code="Y011",
        name="number-for-text",
        severity="warning",
        what="an unquoted number stands where text is meant",
        why=(
            "YAML readers type what is not quoted: `0101` becomes 65 in YAML 1.1 and 101 in YAML 1.2, `1e3` becomes "
            "1000. hieratk reads it as written; the quotes make sure that everybody does. Without them 40 (YAML "
            "1.1) or 58 (YAML 1.2) of 2,304 official codes are changed beyond repair."
        ),
        wrong=("tree: {cropland: 1}\nclasses:\n  cropland: {code: 0101}\n"),
        right=('tree: {cropland: 1}\nclasses:\n  cropland: {code: "0101"}\n'),
    ),
    Rule(
        code="Y012",
        name="word-for-text",
        severity="warning",
        what="an unquoted truth value, null or date stands where text is meant",
        why=(
            "`no`, `on`, `~` or `2021-06-01` are not text to every YAML reader. The language tag of Norwegian is "
            "the classic one."
        ),
        wrong=("tree: {forest: 1}\nclasses:\n  forest: {labels: {no: Skog}}\n"),
        right=('tree: {forest: 1}\nclasses:\n  forest: {labels: {"no": Skog}}\n'),
    ),
    Rule(
        code="Y013",
        name="color-is-a-comment",
        severity="error",
        what="a colour is read as a comment",
        why=(
            "` #` begins a comment in YAML. Unquoted, the colour is gone, and inside `{ }` the closing brace with "
            "it, so that the parser complains about the next line."
        ),
        wrong=("tree: {forest: 1}\nclasses:\n  forest:\n    color: #006d2c\n"),
        right=('tree: {forest: 1}\nclasses:\n  forest:\n    color: "#006d2c"\n'),
    ),
    Rule(
        code="Y014",
        name="comma-ends-text",
        severity="error",
        what="a comma ends unquoted text inside `{ }`",
        why=(
            "The tail after the comma becomes a key without a value, and the name is cut. 88 of 2,260 official "
            "names hold a comma."
        ),
        wrong=("tree: {rock: 1}\nclasses:\n  rock: {name: Rock, gravel or sand}\n"),
        right=('tree: {rock: 1}\nclasses:\n  rock: {name: "Rock, gravel or sand"}\n'),
    ),
    Rule(
        code="Y015",
        name="odd-characters",
        severity="warning",
        what="text is not in Unicode form NFC, or holds invisible characters",
        why=(
            "Two texts that look alike are then not equal: a no-break space, a soft hyphen, an accent written as a "
            "character of its own."
        ),
        wrong=("tree: {forest: 1}\nclasses:\n  forest: {name: Dense\u00a0forest}\n"),
        right=("tree: {forest: 1}\nclasses:\n  forest: {name: Dense forest}\n"),
    ),
    Rule(
        code="Y016",
        name="blank-at-the-edge",
        severity="error",
        what="a code, id or name begins or ends with a blank",
        why="A code with a blank is another code. For names it is a warning, and the blank is dropped.",
        wrong=('tree: {maize: 1}\nclasses:\n  maize: {code: " 013"}\n'),
        right=('tree: {maize: 1}\nclasses:\n  maize: {code: "013"}\n'),
    ),
    Rule(
        code="Y017",
        name="odd-line-breaks",
        severity="warning",
        what="lines end with something other than LF",
        why=(
            "YAML counts CR, NEL, LS and PS as line breaks, editors do not, so that line numbers differ. One "
            "finding a file."
        ),
        wrong=("tree:\r\n  forest: 1\r\n"),
        right=("tree:\n  forest: 1\n"),
    ),
    Rule(
        code="Y018",
        name="too-large",
        severity="error",
        what="the file is larger than 8 MB, holds more than 500,000 values, or nests deeper than 64",
        why="No class tree comes near these limits; a text that does is meant to break its reader.",
        wrong="tree: {forest: " + "[" * 70 + "1" + "]" * 70 + "}\n",
        right="tree: {forest: [1]}\n",
    ),
    Rule(
        code="Y019",
        name="empty",
        severity="error",
        what="the file is empty",
        why="A taxonomy needs two lines at least.",
        wrong="# hieratk: nothing follows\n",
        right="tree: {forest: 1}\n",
    ),
)
