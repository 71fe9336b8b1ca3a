"""Pages of family F: what `hieratk taxonomy fmt` writes otherwise. `validate` does not ask them."""

from hieratk.taxonomy.rulebook.page import Rule

RULES = (
    Rule(
        code="F001",
        name="key-order",
        severity="warning",
        what="keys stand in another order than that of the language",
        why="One order makes two files comparable. Classes, branches of the tree and entries of maps are never moved.",
        wrong="tree: {forest: 1}\nid: woods\n",
        right="id: woods\ntree: {forest: 1}\n",
    ),
    Rule(
        code="F002",
        name="quoting",
        severity="warning",
        what="quotes are missing where the language wants them, or stand where no reader needs them",
        why=(
            "Codes, colours, dates, addresses and version ranges stand in double quotes always, other text where a"
            " reader of YAML 1.1 or 1.2 would see something else."
        ),
        wrong="tree: {forest: 1}\nclasses:\n  forest: {code: A1, name: 'Forest'}\n",
        right='tree: {forest: 1}\nclasses:\n  forest: {code: "A1", name: Forest}\n',
    ),
    Rule(
        code="F003",
        name="color-case",
        severity="warning",
        what="a colour is not written in lower case",
        why="Equal colours are then equal texts.",
        wrong='tree: {forest: 1}\nclasses:\n  forest: {color: "#00AA00"}\n',
        right='tree: {forest: 1}\nclasses:\n  forest: {color: "#00aa00"}\n',
    ),
    Rule(
        code="F004",
        name="one-line-or-block",
        severity="warning",
        what="what fits on one line stands on several, or the reverse",
        why=(
            "A class is one line where that has room and holds neither definition, deprecation nor a list of more than"
            " three; up to four leaves stand on the line of their parent. A comment inside keeps the lines apart."
        ),
        wrong="tree:\n  forest:\n    oak: 1\n    beech: 2\n",
        right="tree:\n  forest: {oak: 1, beech: 2}\n",
    ),
    Rule(
        code="F005",
        name="blanks",
        severity="warning",
        what="a line is not indented by two blanks a level, or blanks and line breaks are too many or missing",
        why="There is at most one blank line, one line break ends the file, and no line ends with blanks.",
        wrong="tree:\n    forest:\n    water:\n",
        right="tree:\n  forest:\n  water:\n",
    ),
    Rule(
        code="F006",
        name="alignment",
        severity="warning",
        what="neighbouring one-line classes do not begin in one column",
        why="Equal keys then stand close to one another. A blank line or a block begins a new column.",
        wrong="tree: {oak: 1, maple: 2}\nclasses:\n  oak: {name: Oak}\n  maple: {name: Maple}\n",
        right="tree: {oak: 1, maple: 2}\nclasses:\n  oak:   {name: Oak}\n  maple: {name: Maple}\n",
    ),
)
