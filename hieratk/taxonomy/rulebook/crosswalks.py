"""Pages of family X: what `hieratk crosswalk check` says. `beside` holds the two trees."""

from hieratk.taxonomy.rulebook.page import Rule

_FARM = (
    "hieratk: taxonomy/1\nid: farm\nversion: 1.0.0\ntree:\n  crops: {wheat: 1, maize: 2}\n  trees: {oak: 3, pine: 4}\n"
)
_LAND = (
    "hieratk: taxonomy/1\n"
    "id: land\n"
    "version: 2.0.0\n"
    "tree:\n"
    "  cropland: {cereals: 1, vegetables: 2}\n"
    "  forest: {broadleaved: 3, needleleaved: 4}\n"
    "  water: 5\n"
)
_TREES = (("farm.yaml", _FARM), ("land.yaml", _LAND))


def _crosswalk(lines: str, *, unmapped: str = "ignore") -> str:
    """An example: lines of `map`."""
    return (
        "hieratk: crosswalk/1\n"
        "id: example\n"
        "version: 1.0.0\n"
        'from: {taxonomy: farm, version: ">=1,<2"}\n'
        'to: {taxonomy: land, version: ">=2,<3"}\n'
        f"unmapped: {unmapped}\n"
        f"map:\n{lines}"
    )


RULES = (
    Rule(
        code="X001",
        name="source-class-unknown",
        severity="error",
        what="a class is mapped that the source does not have",
        why=(
            "A class is named by its id or its official code, a special value by its id or its raster value. A wrong id"
            " or name draws a suggestion, a wrong code the codes beside it: a guess at a code is right too seldom."
        ),
        wrong=_crosswalk("  wheet: {within: cereals}\n"),
        right=_crosswalk("  wheat: {within: cereals}\n"),
        beside=_TREES,
    ),
    Rule(
        code="X002",
        name="target-class-unknown",
        severity="error",
        what="a class is mapped to one that the target does not have",
        why="Special values are no classes: `none` takes them, and nothing else does.",
        wrong=_crosswalk("  wheat: {within: cereal}\n"),
        right=_crosswalk("  wheat: {within: cereals}\n"),
        beside=_TREES,
    ),
    Rule(
        code="X003",
        name="class-not-mapped",
        severity="error",
        what="classes of the source have no relation, neither of their own nor inherited",
        why=(
            "Their pixels would be lost without a word. `is`, `within`, `outside` and `none` hold for the classes below"
            " too; `covers` and `overlaps` do not, since a part of a mosaic may be pure. A class above mapped ones"
            " needs no line. `unmapped: ignore` says that the rest is left out on purpose."
        ),
        wrong=_crosswalk("  crops: {within: cropland}\n  oak: {within: broadleaved}\n", unmapped="error"),
        right=_crosswalk(
            "  crops: {within: cropland}\n  oak: {within: broadleaved}\n  pine: {within: needleleaved}\n",
            unmapped="error",
        ),
        beside=_TREES,
    ),
    Rule(
        code="X004",
        name="class-mapped-twice",
        severity="error",
        what="one class is mapped twice, by its id and by its code",
        why="Only one of the two lines could hold.",
        wrong=_crosswalk('  wheat: {within: cereals}\n  "11": {within: cropland}\n'),
        right=_crosswalk("  wheat: {within: cereals}\n"),
        beside=(("farm.yaml", _FARM + 'classes:\n  wheat: {code: "11"}\n  maize: {code: "12"}\n'), _TREES[1]),
    ),
    Rule(
        code="X005",
        name="not-one-relation",
        severity="error",
        what="a line does not have exactly one of `is`, `within`, `covers`, `overlaps`, `outside` and `none`",
        why="Two sets of pixels stand in one relation. Where none of the five is certain, `overlaps` says the least.",
        wrong=_crosswalk("  wheat: {is: cereals, within: cropland}\n"),
        right=_crosswalk("  wheat: {within: cereals}\n"),
        beside=_TREES,
    ),
    Rule(
        code="X006",
        name="shares-of-targets",
        severity="error",
        what="the shares of the targets do not add up to 1",
        why="They become soft labels: the parts that a pixel of the class has on average.",
        wrong=_crosswalk("  crops: {overlaps: {cropland: 0.8, water: 0.1}}\n"),
        right=_crosswalk("  crops: {overlaps: {cropland: 0.9, water: 0.1}}\n"),
        beside=_TREES,
    ),
    Rule(
        code="X007",
        name="contradicts-ancestor",
        severity="error",
        what="a class is mapped to where its ancestor cannot be",
        why=(
            "A class lies inside the classes above it. Where one of them is mapped into a class of the target, the"
            " class itself must be mapped to that class or below it; `within` may also name a class above."
        ),
        wrong=_crosswalk("  trees: {within: forest}\n  oak: {within: cropland}\n"),
        right=_crosswalk("  trees: {within: forest}\n  oak: {within: broadleaved}\n"),
        beside=_TREES,
    ),
    Rule(
        code="X008",
        name="target-deprecated",
        severity="warning",
        what="a target is deprecated",
        why="The fix writes what stands for it, where that is one class.",
        wrong=_crosswalk("  wheat: {within: grain}\n"),
        right=_crosswalk("  wheat: {within: cereals}\n"),
        beside=(
            _TREES[0],
            (
                "land.yaml",
                "hieratk: taxonomy/1\n"
                "id: land\n"
                "version: 2.0.0\n"
                "tree: {cereals: 1, grain: 2}\n"
                "classes:\n"
                "  grain: {deprecated: {since: 2.0.0, use: [cereals]}}\n",
            ),
        ),
    ),
    Rule(
        code="X009",
        name="two-classes-are-one",
        severity="warning",
        what="two classes are both said to be the same class of the target",
        why="Classes of one tree exclude one another, so at most one of the two can be. Write `within` for both.",
        wrong=_crosswalk("  wheat: {is: cereals}\n  maize: {is: cereals}\n"),
        right=_crosswalk("  wheat: {within: cereals}\n  maize: {within: cereals}\n"),
        beside=_TREES,
    ),
    Rule(
        code="X010",
        name="rest-is-rest",
        severity="warning",
        what="a residual class is said to be the same as another residual class",
        why='"Other" means other than its own siblings, and those are seldom the same in two trees.',
        wrong=_crosswalk("  other_farm: {is: other_land}\n"),
        right=_crosswalk("  other_farm: {outside: [cropland]}\n"),
        beside=(
            (
                "farm.yaml",
                "hieratk: taxonomy/1\n"
                "id: farm\n"
                "version: 1.0.0\n"
                "tree: {wheat: 1, other_farm: 2}\n"
                "classes:\n"
                "  other_farm: {kind: residual}\n",
            ),
            (
                "land.yaml",
                "hieratk: taxonomy/1\n"
                "id: land\n"
                "version: 2.0.0\n"
                "tree: {cropland: 1, other_land: 2}\n"
                "classes:\n"
                "  other_land: {kind: residual}\n",
            ),
        ),
    ),
    Rule(
        code="X011",
        name="repeats-ancestor",
        severity="info",
        what="a line says what the class inherits anyway",
        why="A line with a `note`, a `confidence` or a `source` is left in peace. The fix takes the line out.",
        wrong=_crosswalk("  trees: {within: forest}\n  oak: {within: forest}\n  pine: {within: needleleaved}\n"),
        right=_crosswalk("  trees: {within: forest}\n  pine: {within: needleleaved}\n"),
        beside=_TREES,
    ),
    Rule(
        code="X012",
        name="covers-whole-class",
        severity="info",
        what="`covers` names all that one class holds",
        why="Then the class is that class.",
        wrong=_crosswalk("  trees: {covers: [broadleaved, needleleaved]}\n"),
        right=_crosswalk("  trees: {is: forest}\n"),
        beside=_TREES,
    ),
    Rule(
        code="X013",
        name="target-never-predicted",
        severity="error",
        what="a target is an unspecified or a mixed class",
        why=(
            "Such a class is a way of labelling, not a place in the tree: write `within` its parent, or `overlaps` of"
            " its parts."
        ),
        wrong=_crosswalk("  wheat: {within: some_crop}\n"),
        right=_crosswalk("  wheat: {within: cropland}\n"),
        beside=(
            _TREES[0],
            (
                "land.yaml",
                "hieratk: taxonomy/1\n"
                "id: land\n"
                "version: 2.0.0\n"
                "tree:\n"
                "  cropland: {cereals: 1, vegetables: 2, some_crop: 3}\n"
                "classes:\n"
                "  some_crop: {kind: unspecified}\n",
            ),
        ),
    ),
    Rule(
        code="X014",
        name="target-not-reached",
        severity="info",
        what="no class of the source can be some leaves of the target",
        why="A map made through this crosswalk never shows them, and a model learns nothing about them.",
        wrong=_crosswalk("  crops: {is: cropland}\n  trees: {is: forest}\n"),
        right=_crosswalk("  crops: {is: cropland}\n  trees: {overlaps: [forest, water]}\n"),
        beside=_TREES,
    ),
    Rule(
        code="X015",
        name="special-not-mapped",
        severity="warning",
        what="a special value of the source has no line",
        why=(
            "What was not observed must never become a class. `none` names the special value of the target, or one of"
            " `nodata`, `unlabelled` and `excluded` where the target has none of that role."
        ),
        wrong=_crosswalk("  crops: {is: cropland}\n"),
        right=_crosswalk("  crops: {is: cropland}\n  cloud: {none: excluded}\n"),
        beside=(("farm.yaml", _FARM + "special:\n  cloud: {role: excluded, pixel: 255}\n"), _TREES[1]),
    ),
    Rule(
        code="X016",
        name="target-inside-target",
        severity="warning",
        what="the targets hold a class and one inside it",
        why="The inner one says nothing new, and with shares it is counted twice.",
        wrong=_crosswalk("  trees: {overlaps: [forest, broadleaved, water]}\n"),
        right=_crosswalk("  trees: {overlaps: [forest, water]}\n"),
        beside=_TREES,
    ),
    Rule(
        code="X017",
        name="outside-of-everything",
        severity="error",
        what="`outside` leaves nothing of the target",
        why="A class that is outside of everything has no counterpart: write `none`.",
        wrong=_crosswalk("  oak: {outside: [cropland, forest, water]}\n"),
        right=_crosswalk("  oak: {outside: [cropland, water]}\n"),
        beside=_TREES,
    ),
    Rule(
        code="X018",
        name="one-target",
        severity="warning",
        what="`covers` or `overlaps` has one target",
        why="A class that lies in one class is `within` it, or is the same.",
        wrong=_crosswalk("  wheat: {overlaps: [cereals]}\n"),
        right=_crosswalk("  wheat: {within: cereals}\n"),
        beside=_TREES,
    ),
    Rule(
        code="X019",
        name="no-way-back",
        severity="info",
        what="read backwards, some classes of the target have no usable relation",
        why="A transfer from the target to the source, which reads the crosswalk backwards, knows nothing about them.",
        wrong=_crosswalk("  crops: {is: cropland}\n  trees: {outside: [cropland, water]}\n"),
        right=_crosswalk("  crops: {is: cropland}\n  trees: {outside: [cropland]}\n"),
        beside=_TREES,
    ),
    Rule(
        code="X020",
        name="composed-unknown",
        severity="info",
        what="two crosswalks one after the other leave the relation of some classes unknown",
        why=(
            "`hieratk crosswalk compose` says so about the first one. What a class allows is still right: it lies in"
            " the union of what the classes on the way allow."
        ),
        wrong=_crosswalk("  wheat: {within: cropland}\n"),
        right=_crosswalk("  wheat: {within: forest}\n"),
        beside=(
            *_TREES,
            (
                "cover.yaml",
                "hieratk: taxonomy/1\nid: cover\nversion: 1.0.0\ntree: {field: 1, garden: 2, wood: 3, lake: 4}\n",
            ),
            (
                "land_to_cover.yaml",
                "hieratk: crosswalk/1\n"
                "id: land_to_cover\n"
                "version: 1.0.0\n"
                'from: {taxonomy: land, version: ">=2,<3"}\n'
                'to: {taxonomy: cover, version: ">=1,<2"}\n'
                "unmapped: ignore\n"
                "map:\n"
                "  cropland: {covers: [field, garden]}\n"
                "  forest: {is: wood}\n",
            ),
        ),
    ),
)
