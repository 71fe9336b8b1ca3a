"""Compiled tables and their torch buffers against plain loops over random trees."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.errors import TaxonomyError
from hieratk.taxonomy.tables import IGNORE, ROLES, compile_tables
from hieratk.taxonomy.tree import Encoding, Special, Taxonomy
from hieratk.tensors import TaxonomyTensors
from tests.oracle import Truth
from tests.strategies import DTYPES, label_rows, rng, taxonomies

MANY = settings(max_examples=60, deadline=None)


@MANY
@given(taxonomies())
def test_every_level_is_a_partition_of_the_leaves(taxonomy: Taxonomy) -> None:
    truth, tables = Truth(taxonomy), compile_tables(taxonomy)
    assert tables.ids == tuple(truth.predicted)
    assert tables.leaves == tuple(truth.leaves) == taxonomy.leaves
    assert [(i, c) for i in range(truth.depth) for c in tables.channel_ids(i)] == truth.channels
    assert [level.classes for level in taxonomy.levels] == [tuple(classes) for classes in truth.levels]
    for i, classes in enumerate(truth.levels):
        held = [truth.leaves_below(c) for c in classes]
        assert sum(map(len, held)) == len(truth.leaves), "a leaf in two classes, or in none"
        assert set().union(*held) == set(truth.leaves)
        assert taxonomy.levels[i].carried == {c for c in classes if not truth.is_own(i, c)}


@MANY
@given(taxonomies())
def test_tables_hold_the_tree(taxonomy: Taxonomy) -> None:
    truth, tables = Truth(taxonomy), compile_tables(taxonomy)
    for m, id_ in enumerate(tables.ids):
        node = truth.nodes[id_]
        assert tables.parent[m] == (-1 if node.parent is None else truth.predicted.index(node.parent))
        assert tables.level[m] == node.level
        first, last = tables.leaf_span[m]
        assert set(tables.leaves[first:last]) == truth.leaves_below(id_)
    for n, (i, id_) in enumerate(truth.channels):
        assert tables.ids[tables.node[n]] == id_
        assert tables.carried[n] == (not truth.is_own(i, id_))
        assert tables.offsets[i] <= n < tables.offsets[i + 1]
        if i:
            held = truth.leaves_below(id_)
            holders = [c for c, above in enumerate(truth.levels[i - 1]) if held <= truth.leaves_below(above)]
            assert tables.up[i - 1][n - tables.offsets[i]] in holders
            assert len(holders) == 1
    for v, leaf in enumerate(truth.leaves):
        for i in range(truth.depth):
            class_ = truth.levels[i].index(truth.class_at(leaf, i))
            assert tables.paths[v, i] == tables.offsets[i] + class_
            assert tables.level_of_leaf(i)[v] == class_


@MANY
@given(taxonomies())
def test_every_own_node_has_one_channel(taxonomy: Taxonomy) -> None:
    tables = compile_tables(taxonomy)
    assert sorted(tables.node[~tables.carried]) == list(range(len(tables.ids)))


@MANY
@given(taxonomies())
def test_label_rows(taxonomy: Taxonomy) -> None:
    truth, tables = Truth(taxonomy), compile_tables(taxonomy)
    roles = {entry.id: entry.role for entry in taxonomy.special}
    assert list(tables.row_ids) == truth.rows
    for r, id_ in enumerate(truth.rows):
        assert ROLES[tables.row_role[r]] == ("undeclared" if r == 0 else roles.get(id_, "class"))
        allowed = {leaf for leaf, is_allowed in zip(tables.leaves, tables.allowed(r), strict=True) if is_allowed}
        assert allowed == truth.allowed(id_)
        expected = truth.index(id_) if allowed else [IGNORE] * truth.depth
        assert tables.index[r].tolist() == expected
        if id_ in truth.nodes and truth.nodes[id_].kind == "mixed" and truth.nodes[id_].deprecated is None:
            shares = tables.allowed_share[tables.allowed_ptr[r] : tables.allowed_ptr[r + 1]]
            stated = all(share is not None for share in truth.nodes[id_].parts.values())
            assert np.isfinite(shares).all() == stated
            if stated:
                assert math.isclose(shares.sum(), 1.0)


@MANY
@given(taxonomies(), st.data())
def test_lookup_is_total(taxonomy: Taxonomy, data: st.DataObject) -> None:
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    name = data.draw(st.sampled_from(sorted(taxonomy.encodings)))
    encoding = taxonomy.encodings[name]
    ends = [v for low, high, _ in encoding.values for v in (low - 1, low, high, high + 1)]
    outside = [-(2**40), -1, 0, 255, 256, 65535, 65536, 2**31, 2**32 - 1, 2**32, 2**40]
    info = np.iinfo(encoding.dtype)
    inside = data.draw(st.lists(st.integers(int(info.min), int(info.max)), max_size=20))
    values = np.array([*ends, *outside, *inside], np.int64)
    expected = []
    for value in values:
        owner = [id_ for low, high, id_ in encoding.values if low <= value <= high]
        expected.append(truth.rows.index(owner[0]) if owner else 0)
    assert tree.tables.lookup(name)(values).tolist() == expected
    assert tree.rows(torch.tensor(values), name).tolist() == expected

    native = values[(values >= info.min) & (values <= info.max)].astype(encoding.dtype)
    assert tree.tables.lookup(name)(native).tolist() == [
        row for row, value in zip(expected, values, strict=True) if info.min <= value <= info.max
    ]
    assert tree.rows(torch.from_numpy(native), name).tolist() == tree.tables.lookup(name)(native).tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_lookup_at_the_ends_of_every_dtype(dtype: str) -> None:
    info = np.iinfo(dtype)
    values = ((int(info.min), int(info.min), "a"), (int(info.max), int(info.max), "b"))
    encoding = Encoding("default", dtype, values)
    tree = Taxonomy.from_outline({"a": None, "b": None})
    tree = Taxonomy(tree.id, tree.nodes, tree.level_names, encodings={"default": encoding})
    pixels = np.array([info.min, info.min + 1, info.max - 1, info.max], dtype)
    assert compile_tables(tree).lookup()(pixels).tolist() == [1, 0, 0, 2]
    assert TaxonomyTensors(tree).rows(torch.from_numpy(pixels)).tolist() == [1, 0, 0, 2]
    wide = np.array([2**40 + info.min, 2**40 + info.max, -(2**40)])
    assert compile_tables(tree).lookup()(wide).tolist() == [0, 0, 0]


@MANY
@given(taxonomies(), st.data())
def test_labels_of_rows(taxonomy: Taxonomy, data: st.DataObject) -> None:
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    rows = data.draw(label_rows(len(truth.rows), (2, 3, 4)))
    labels = tree.labels(torch.tensor(rows))
    assert labels.shape == (2, truth.depth, 3, 4)
    assert labels.dtype == torch.int64
    for at in np.ndindex(2, 3, 4):
        id_ = truth.rows[rows[at]]
        expected = truth.index(id_) if truth.allowed(id_) else [IGNORE] * truth.depth
        assert labels[at[0], :, at[1], at[2]].tolist() == expected


@MANY
@given(taxonomies(), st.data())
def test_split_gives_views_level_by_level(taxonomy: Taxonomy, data: st.DataObject) -> None:
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    logits = torch.tensor(rng(data.draw).normal(size=(2, tree.channels, 1, 3)))
    parts = tree.split(logits)
    for i, part in enumerate(parts):
        assert part.data_ptr() == logits[:, truth.channel(i, 0) :].data_ptr()
        for c in range(len(truth.levels[i])):
            assert torch.equal(part[:, c], logits[:, truth.channel(i, c)])


def test_tables_are_read_only_and_compiled_once() -> None:
    one = Taxonomy.from_outline({"a": 1, "b": {"c": 2, "d": 3}})
    two = Taxonomy.from_outline({"a": 1, "b": {"c": 2, "d": 3}})
    assert compile_tables(one) is compile_tables(two)
    assert compile_tables(one) is not compile_tables(Taxonomy.from_outline({"a": 1, "b": {"c": 2, "d": 4}}))
    for array in (compile_tables(one).paths, compile_tables(one).index, compile_tables(one).up[0]):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_coarse_unspecified_and_special_labels_by_hand() -> None:
    taxonomy = Taxonomy.from_outline(
        {"water": 1, "crops": {"rice": 2, "maize": 3, "unknown": 4}, "woods": {"forest": 5}},
        classes={"crops": {"pixel": 6}, "unknown": {"kind": "unspecified"}, "woods": {"pixel": 7}},
        special=[Special("cloud", "excluded")],
    )
    tree = TaxonomyTensors(taxonomy)
    labels = tree.encode(torch.arange(9).view(1, 1, 9))[0, :, 0]
    void = IGNORE
    assert labels[0].tolist() == [void, 0, 1, 1, 1, 2, 1, 2, void]
    # An only child is known as soon as its parent is; water stands for itself on the second level.
    assert labels[1].tolist() == [void, 0, 1, 2, void, 3, void, 3, void]
    assert tree.carried.tolist() == [False, False, False, True, False, False, False]


def test_bad_input_is_refused() -> None:
    tree = TaxonomyTensors(Taxonomy.from_outline({"a": 1}))
    with pytest.raises(TaxonomyError, match="no encoding `cdl`; this taxonomy has default"):
        tree.tables.lookup("cdl")
    with pytest.raises(TaxonomyError, match="labels must be integers, not float32"):
        tree.tables.lookup()(np.zeros(3, np.float32))
    with pytest.raises(TypeError, match="must be integers"):
        tree.rows(torch.zeros(3))
    with pytest.raises(ValueError, match="logits have 2 channels, the tree has 1 nodes"):
        tree.split(torch.zeros(1, 2, 1, 1))
    only_unspecified = Taxonomy.from_outline({"a": 1}, classes={"a": {"kind": "mixed", "parts": {}}})
    with pytest.raises(TaxonomyError, match="no class that a model could predict"):
        compile_tables(only_unspecified)
