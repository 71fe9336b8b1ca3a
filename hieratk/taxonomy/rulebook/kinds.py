"""Pages of family T5."""

from hieratk.taxonomy.rulebook.page import Rule

RULES = (
    Rule(
        code="T501",
        name="two-residuals",
        severity="warning",
        what="two residual classes stand under one parent",
        why="Both would be what no sibling names.",
        wrong=(
            "tree: {forest: 1, rest: 2, remains: 3}\nclasses:\n  rest: {kind: residual}\n  remains: {kind: residual}\n"
        ),
        right=("tree: {forest: 1, rest: [2, 3]}\nclasses:\n  rest: {kind: residual}\n"),
    ),
    Rule(
        code="T502",
        name="residual-with-children",
        severity="warning",
        what="a residual class has children",
        why="What is left over has been named after all; then it is an ordinary class.",
        wrong=("tree:\n  forest: 1\n  rest: {sand: 2, snow: 3}\nclasses:\n  rest: {kind: residual}\n"),
        right=("tree:\n  forest: 1\n  rest: {sand: 2, snow: 3}\n"),
    ),
    Rule(
        code="T503",
        name="reads-like-residual",
        severity="warning",
        what='a class reads like a residual one ("other", "n.e.c."), but `kind` is class',
        why=(
            "A residual class is what no sibling names; crosswalks and losses treat it so. `kind: class` says that "
            "it is not one."
        ),
        wrong="tree: {forest: 1, other_land: 2}\n",
        right=("tree: {forest: 1, other_land: 2}\nclasses:\n  other_land: {kind: residual}\n"),
    ),
    Rule(
        code="T504",
        name="reads-like-unknown",
        severity="warning",
        what='a class reads like missing knowledge ("unknown", "no data"), but `kind` is class',
        why="A model would learn to predict that somebody did not know.",
        wrong=("tree:\n  forest: {oak: 1, beech: 2, unknown_forest: 3}\n"),
        right=(
            "tree:\n  forest: {oak: 1, beech: 2, unknown_forest: 3}\nclasses:\n  unknown_forest: {kind: unspecified}\n"
        ),
    ),
    Rule(
        code="T505",
        name="unspecified-without-parent",
        severity="error",
        what="an unspecified class has no parent",
        why=(
            "It stands for all classes below its parent; at the top it would stand for everything, which is role "
            "`unlabelled`."
        ),
        wrong=("tree: {forest: 1, something: 2}\nclasses:\n  something: {kind: unspecified}\n"),
        right=("tree: {forest: 1}\nspecial:\n  something: {role: unlabelled, pixel: 2}\n"),
    ),
    Rule(
        code="T506",
        name="mixed-without-parts",
        severity="error",
        what="a mixed class does not say its `parts`, or only one",
        why="It stands for several classes; without them it means nothing.",
        wrong=("tree: {oak: 1, beech: 2, both: 3}\nclasses:\n  both: {kind: mixed}\n"),
        right=("tree: {oak: 1, beech: 2, both: 3}\nclasses:\n  both: {kind: mixed, parts: [oak, beech]}\n"),
    ),
    Rule(
        code="T507",
        name="shares-and-one",
        severity="error",
        what="the shares of the parts do not add up to 1",
        why="Shares become soft labels.",
        wrong=("tree: {oak: 1, beech: 2, both: 3}\nclasses:\n  both: {kind: mixed, parts: {oak: 0.5, beech: 0.4}}\n"),
        right=("tree: {oak: 1, beech: 2, both: 3}\nclasses:\n  both: {kind: mixed, parts: {oak: 0.6, beech: 0.4}}\n"),
    ),
    Rule(
        code="T508",
        name="part-in-line",
        severity="error",
        what="a part is the class itself, above or below it, or mixed again",
        why="A class cannot be explained by itself.",
        wrong=("tree: {oak: 1, beech: 2, both: 3}\nclasses:\n  both: {kind: mixed, parts: [oak, both]}\n"),
        right=("tree: {oak: 1, beech: 2, both: 3}\nclasses:\n  both: {kind: mixed, parts: [oak, beech]}\n"),
    ),
    Rule(
        code="T509",
        name="residual-only-child",
        severity="warning",
        what="a residual class is an only child",
        why="Nothing is named beside it, so nothing is left to it.",
        wrong=("tree:\n  forest: {rest: 1}\n  water: 2\nclasses:\n  rest: {kind: residual}\n"),
        right=("tree:\n  forest: {oak: 3, rest: 1}\n  water: 2\nclasses:\n  rest: {kind: residual}\n"),
    ),
)
