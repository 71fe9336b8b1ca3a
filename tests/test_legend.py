"""Which raster values a map uses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings

from hieratk.errors import TaxonomyError
from hieratk.prediction.legend import color_of, legend
from hieratk.taxonomy.tree import Encoding, Special, Taxonomy
from tests.strategies import taxonomies


def test_stated_values_are_used_and_missing_ones_filled_in() -> None:
    tree = Taxonomy.from_outline({"water": 1, "fields": {"rice": 2, "maize": 4}}, levels=["cover", "crop"])
    cover, crop = legend(tree).bands
    assert crop.classes == ("water", "rice", "maize")
    assert crop.values.tolist() == [1, 2, 4]
    assert crop.derived == ()
    assert cover.classes == ("water", "fields")
    assert cover.values.tolist() == [1, 3]
    assert cover.derived == ("fields",)
    assert (legend(tree).dtype, legend(tree).nodata) == ("uint8", 0)


def test_the_encoding_of_a_level_comes_first() -> None:
    tree = Taxonomy.from_outline({"water": 1, "fields": {"rice": 2, "maize": 3}}, levels=["cover", "crop"])
    own = Encoding("cover", "uint8", ((7, 7, "water"), (9, 9, "fields")), level=0)
    tree = Taxonomy(tree.id, tree.nodes, tree.level_names, encodings={**tree.encodings, "cover": own})
    cover, crop = legend(tree).bands
    assert cover.values.tolist() == [7, 9]
    assert crop.values.tolist() == [1, 2, 3]


def test_nodata_is_the_declared_value_unless_a_class_has_it() -> None:
    special = [Special("void", "unlabelled")]
    tree = Taxonomy.from_outline({"water": 0, "land": 1}, special=special)
    values = Encoding("default", "uint8", ((0, 0, "water"), (1, 1, "land"), (250, 250, "void")))
    tree = Taxonomy(tree.id, tree.nodes, tree.level_names, tuple(special), {"default": values})
    assert legend(tree).nodata == 250
    bare = Taxonomy.from_outline({"water": 0, "land": 1})
    assert legend(bare).nodata == 255


def test_wide_values_get_a_wide_dtype() -> None:
    assert legend(Taxonomy.from_outline({"a": 1, "b": 300})).dtype == "uint16"
    assert legend(Taxonomy.from_outline({"a": 1, "b": 91000}, dtype="int32")).dtype == "int32"
    assert legend(Taxonomy.from_outline({"a": 1, "b": 3_000_000_000}, dtype="uint32")).dtype == "uint32"
    assert legend(Taxonomy.from_outline({"a": -1, "b": 2}, dtype="int16")).dtype == "int16"
    tree = Taxonomy.from_outline({"a": 1, "b": {"c": 2, "d": 3}})
    wide = Encoding("wide", "uint32", ((1, 1, "a"), (4_000_000_000, 4_000_000_000, "b")), level=0)
    below = Encoding("below", "int16", ((-5, -5, "a"), (2, 2, "c"), (3, 3, "d")), level=1)
    tree = Taxonomy(tree.id, tree.nodes, tree.level_names, encodings={"wide": wide, "below": below})
    with pytest.raises(TaxonomyError, match=r"pixel values -5 to 4000000000 of `tree` fit no one raster type"):
        legend(tree)


@settings(max_examples=60, deadline=None)
@given(taxonomies())
def test_values_of_a_level_are_distinct_and_never_the_nodata_value(tree: Taxonomy) -> None:
    stated = [
        value for encoding in tree.encodings.values() for low, high, _ in encoding.values for value in (low, high)
    ]
    assume(min(stated, default=0) >= 0 or max(stated, default=0) < 2**31)
    written = legend(tree)
    info = np.iinfo(written.dtype)
    assert len(written.bands) == len(tree.levels)
    for band, level in zip(written.bands, tree.levels, strict=True):
        assert band.classes == level.classes
        assert len(set(band.values.tolist())) == len(level.classes)
        assert written.nodata not in band.values
        assert info.min <= band.values.min()
        assert band.values.max() <= info.max
        tag = json.loads(band.tag())
        assert [tag[str(value)]["id"] for value in band.values] == list(level.classes)


def test_a_class_without_a_colour_takes_its_parents_varied() -> None:
    tree = Taxonomy.from_outline({"fields": {"rice": 1, "maize": 2}}, classes={"fields": {"color": "#4080c0"}})
    colors = {color_of(tree, id_) for id_ in ("fields", "rice", "maize")}
    assert len(colors) == 3
    assert color_of(tree, "fields") == (0x40, 0x80, 0xC0)
