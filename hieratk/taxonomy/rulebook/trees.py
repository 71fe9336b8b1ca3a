"""Pages of family T1."""

from hieratk.taxonomy.rulebook.page import Rule
from hieratk.taxonomy.rulebook.references import LAND

RULES = (
    Rule(
        code="T101",
        name="no-classes",
        severity="error",
        what="the tree has no classes, or none that a model could predict",
        why="Unspecified, mixed and deprecated classes are never predicted.",
        wrong="tree: {}\n",
        right="tree: {forest: 1}\n",
    ),
    Rule(
        code="T102",
        name="circle",
        severity="error",
        what="further parents (`also`) make a circle",
        why="A class would stand above itself.",
        wrong=("tree: {forest: 1, park: 2}\nclasses:\n  forest: {also: [park]}\n  park: {also: [forest]}\n"),
        right=("tree: {forest: 1, park: 2}\nclasses:\n  park: {also: [forest]}\n"),
    ),
    Rule(
        code="T103",
        name="deeper-than-levels",
        severity="error",
        what="a class is deeper than the declared levels",
        why="Each depth is a level, and each level has a name.",
        wrong=("levels: [cover]\ntree:\n  forest: {oak: 1, beech: 2}\n"),
        right=("levels: [cover, species]\ntree:\n  forest: {oak: 1, beech: 2}\n"),
    ),
    Rule(
        code="T104",
        name="level-not-below-parent",
        severity="error",
        what="`level:` of a class is not below the level of its parent",
        why="`level:` lets a class skip a level downwards; up or sideways there is no place for it.",
        wrong=("levels: [cover, type]\ntree:\n  forest: {oak: 1, beech: 2}\nclasses:\n  oak: {level: cover}\n"),
        right=("levels: [cover, type]\ntree:\n  forest: {oak: 1, beech: 2}\n"),
    ),
    Rule(
        code="T105",
        name="only-child",
        severity="info",
        what="a class is an only child",
        why="The level adds no information there. Official legends do it to keep a code of full length.",
        wrong=("tree:\n  forest: {oak: 1}\n  water: 2\n"),
        right=("tree:\n  forest: {oak: 1, beech: 3}\n  water: 2\n"),
    ),
    Rule(
        code="T106",
        name="leaf-above-last-level",
        severity="info",
        what="a leaf is not on the last level",
        why="Usual and well understood: the class stands for itself below. For who wants a tree of even depth.",
        wrong=("levels: [cover, species]\ntree:\n  forest: {oak: 1, beech: 2}\n  water: 3\n"),
        right=("levels: [cover, species]\ntree:\n  forest: {oak: 1, beech: 2}\n  water: {lake: 3, river: 4}\n"),
        off=True,
    ),
    Rule(
        code="T107",
        name="further-parent-in-line",
        severity="error",
        what="a further parent is the class itself, above it or below it",
        why="`also` adds a parent that the tree does not give.",
        wrong=("tree:\n  vegetation: {forest: 1, grass: 2}\nclasses:\n  forest: {also: [vegetation]}\n"),
        right=("tree:\n  vegetation: {forest: 1, grass: 2}\n  park: 3\nclasses:\n  forest: {also: [park]}\n"),
    ),
    Rule(
        code="T108",
        name="further-parent-deeper",
        severity="warning",
        what="a further parent lies deeper than the class",
        why="Distances in the tree then depend on the way that is taken.",
        wrong=("tree:\n  vegetation: {forest: 1, grass: 2}\n  park: 3\nclasses:\n  park: {also: [forest]}\n"),
        right=("tree:\n  vegetation: {forest: 1, grass: 2}\n  park: 3\nclasses:\n  park: {also: [vegetation]}\n"),
    ),
    Rule(
        code="T109",
        name="empty-level",
        severity="warning",
        what="no class is on a declared level",
        why="A level without a class of its own repeats the one above.",
        wrong=("levels: [cover, type]\ntree: {forest: 1, water: 2}\n"),
        right=("levels: [cover]\ntree: {forest: 1, water: 2}\n"),
    ),
    Rule(
        code="T112",
        name="levels-and-base",
        severity="error",
        what="the levels of an extension do not begin with those of its base",
        why="A level of the base has the same name and the same meaning in everything that grows from it.",
        wrong=(
            'extends: {taxonomy: land, version: ">=1.0,<2"}\n'
            "levels: [cover, crop]\n"
            "extend:\n"
            "  cropland: {rice: 11, maize: 12}\n"
        ),
        right=(
            'extends: {taxonomy: land, version: ">=1.0,<2"}\n'
            "levels: [cover, type, crop]\n"
            "extend:\n"
            "  cropland: {rice: 11, maize: 12}\n"
        ),
        beside=(LAND,),
    ),
)
