"""Pages of family T4."""

from hieratk.taxonomy.rulebook.page import Rule

RULES = (
    Rule(
        code="T401",
        name="synonym-of-another",
        severity="warning",
        what="a synonym already means another class",
        why="Suggestions and drafts of crosswalks go by synonyms.",
        wrong=("tree: {forest: 1, wood: 2}\nclasses:\n  forest: {synonyms: [wood]}\n"),
        right=("tree: {forest: 1, wood: 2}\nclasses:\n  forest: {synonyms: [woodland]}\n"),
    ),
    Rule(
        code="T402",
        name="synonym-of-itself",
        severity="info",
        what="a synonym repeats the name of its own class",
        why="It adds nothing.",
        wrong=("tree: {forest: 1}\nclasses:\n  forest: {synonyms: [Forest, woodland]}\n"),
        right=("tree: {forest: 1}\nclasses:\n  forest: {synonyms: [woodland]}\n"),
    ),
    Rule(
        code="T403",
        name="malformed-language-tag",
        severity="error",
        what="a key of `labels` is not a language tag",
        why="Tags are those of BCP 47: two or three small letters, if need be with a script and a region.",
        wrong=("tree: {forest: 1}\nclasses:\n  forest: {labels: {french: forêt}}\n"),
        right=("tree: {forest: 1}\nclasses:\n  forest: {labels: {fr: forêt}}\n"),
    ),
    Rule(
        code="T404",
        name="translation-missing",
        severity="info",
        what="a class has no name in a language in which its siblings have one",
        why="A legend in that language would mix two. A language counts where half of the siblings or more have it.",
        wrong=(
            "tree: {forest: 1, water: 2, ice: 3}\n"
            "classes:\n"
            "  forest: {labels: {fr: Forêt}}\n"
            "  water: {labels: {fr: Eau}}\n"
        ),
        right=(
            "tree: {forest: 1, water: 2, ice: 3}\n"
            "classes:\n"
            "  forest: {labels: {fr: Forêt}}\n"
            "  water: {labels: {fr: Eau}}\n"
            "  ice: {labels: {fr: Glace}}\n"
        ),
        off=True,
    ),
    Rule(
        code="T405",
        name="label-in-main-language",
        severity="error",
        what="`labels` gives another text in the language of the document",
        why="In its own language a class has one name, and that is `name`.",
        wrong=("lang: en\ntree: {forest: 1}\nclasses:\n  forest: {name: Forest, labels: {en: Woods}}\n"),
        right=("lang: en\ntree: {forest: 1}\nclasses:\n  forest: {name: Forest, synonyms: [woods]}\n"),
    ),
    Rule(
        code="T406",
        name="broken-letters",
        severity="warning",
        what="a name holds letters of a wrong encoding",
        why="UTF-8 was read as Latin-1 somewhere on the way.",
        wrong=("tree: {forest: 1}\nclasses:\n  forest: {name: ForÃªt}\n"),
        right=("tree: {forest: 1}\nclasses:\n  forest: {name: Forêt}\n"),
    ),
    Rule(
        code="T407",
        name="long-name",
        severity="info",
        what="a name is longer than 60 characters",
        why="It fits no legend. Give a short name, and the long one as `definition`.",
        wrong=(
            "tree: {forest: 1}\n"
            "classes:\n"
            "  forest: {name: Land with trees of a height of five metres or more that cover a tenth of it}\n"
        ),
        right=(
            "tree: {forest: 1}\n"
            "classes:\n"
            "  forest:\n"
            "    name: Forest\n"
            "    definition: Land with trees of a height of five metres or more that cover a tenth of it\n"
        ),
    ),
)
