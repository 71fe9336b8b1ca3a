"""What changed between two versions of a tree: sorts, steps, version numbers, renames, the draft of a crosswalk."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from hieratk.commands import app
from hieratk.crosswalk import allowed, read_file, resolve
from hieratk.crosswalk.succession import succession
from hieratk.diagnostics import Source
from hieratk.errors import TaxonomyError
from hieratk.taxonomy.catalog import load
from hieratk.taxonomy.diff import Diff, diff, raised
from hieratk.taxonomy.reader import read
from hieratk.taxonomy.rulebook.page import document
from hieratk.taxonomy.rulebook.versions import RULES
from hieratk.taxonomy.tree import Encoding, Node, Taxonomy
from tests.strategies import taxonomies

FACTS = Path(__file__).parent.parent / "taxonomies" / "facts"


def tree(text: str, *, name: str = "tree.yaml") -> Taxonomy:
    taxonomy, problems = read(Source(name, document(text)))
    assert taxonomy is not None, [problem.message for problem in problems]
    return taxonomy


def found(old: str, new: str) -> set[tuple[str, str, str, str]]:
    return {(c.what, c.id, c.to, c.step) for c in diff(tree(old), tree(new)).changes if c.code != "V009"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_examples_on_the_page(rule: object) -> None:
    """The wrong one draws the rule, with its severity, the right one does not."""
    (_, text), *others = rule.beside
    assert not others
    old = tree(text)
    wrong, right = diff(old, tree(rule.wrong)), diff(old, tree(rule.right))
    drawn = [change for change in wrong.changes if change.code == rule.code]
    assert drawn
    assert {change.severity for change in drawn} == {rule.severity}
    assert rule.code not in {change.code for change in right.changes}
    # Nothing but the rule itself is wrong with its example.
    assert {c.code for c in wrong.changes if c.severity == "error"} <= {rule.code}


STEPS = [
    ("tree: {a: 1, b: 2}", "tree: {a: 1, b: 2}", None),
    ("tree: {a: 1, b: 2}", "tree: {a: 1, b: 2}\nclasses: {a: {name: Aaa}}", "patch"),
    ("tree: {a: 1, b: 2}", 'tree: {a: 1, b: 2}\nclasses: {a: {color: "#ff0000"}}', "patch"),
    ("tree: {a: 1, b: 2}", "tree: {a: 1, b: 2, c: 3}", "minor"),
    ("tree: {a: 1, b: 2}", "tree: {b: 2, a: 1}", "minor"),
    ("tree: {a: 1, b: 2}", "tree: {a: [1, 5], b: 2}", "minor"),
    ("tree: {a: 1, b: 2}", "tree: {a: 1, b: 2}\nclasses: {b: {deprecated: {since: 1.0.0, use: [a]}}}", "minor"),
    ("tree: {a: 1, b: 2}", "tree: {a: 1, b: 2}\nencodings: {old: {dtype: uint8, values: {9: a}}}", "minor"),
    ("tree: {a: 1, b: 2}", "tree: {a: 1, b: 2}\nencodings: {default: {dtype: uint16}}", "minor"),
    ("tree: {a: 1, b: 2}", "tree: {a: 1, b: 2}\nspecial: {c: {role: nodata, pixel: 0}}", "minor"),
    ("tree: {a: 1, b: 2}", "tree: {a: 1}", "major"),
    ("tree: {a: 1, b: 2}", "tree: {a: 1, z: 2}", "major"),
    ("tree: {a: 1, b: 2}", "tree: {a: {b: 2}}\nclasses: {a: {pixel: 1}}", "major"),
    ("tree: {a: 1, b: 2}", "tree: {a: 1, b: 3}", "major"),
    ("tree: {a: 1, b: 2}", "tree: {a: 1, b: 2}\nclasses: {b: {kind: residual}}", "major"),
    ("tree: {a: 1, b: 2}\nlevels: [one]", "tree: {a: 1, b: 2}\nlevels: [two]", "major"),
    ("tree: {a: 1}\nspecial: {c: {role: nodata, pixel: 0}}", "tree: {a: 1}", "major"),
    (
        "tree: {a: 1}\nspecial: {c: {role: nodata, pixel: 0}}",
        "tree: {a: 1}\nspecial: {c: {role: excluded, pixel: 0}}",
        "major",
    ),
    ("tree: {a: 1}\nencodings: {default: {dtype: uint16}}", "tree: {a: 1}", "major"),
    (
        "tree: {a: 1}\nencodings: {default: {dtype: uint8, nodata: 0}}",
        "tree: {a: 1}\nencodings: {default: {dtype: uint8, nodata: 255}}",
        "major",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "step"), STEPS)
def test_steps(old: str, new: str, step: str | None) -> None:
    """The version rules, and what they make of the number: too little is V009, enough is not."""
    head = "version: 1.4.2\n"
    result = diff(tree(head + old), tree(head + new))
    assert result.step == step
    assert result.breaking == (step == "major")
    wanted = {None: "1.4.2", "patch": "1.4.3", "minor": "1.5.0", "major": "2.0.0"}[step]
    assert result.version == wanted
    assert ("V009" in {change.code for change in result.changes}) == (step is not None)
    assert result.wrong == (step is not None)
    enough = diff(tree(head + old), tree(f"version: {wanted}\n{new}"))
    assert "V009" not in {change.code for change in enough.changes}
    assert enough.version == wanted
    assert enough.wrong == (step == "major")


def test_version_goes_back_or_is_not_stated() -> None:
    back = diff(tree("version: 2.0.0\ntree: {a: 1}"), tree("version: 1.9.0\ntree: {a: 1}"))
    assert [(c.code, c.detail) for c in back.changes] == [
        ("V009", "2.0.0 -> 1.9.0 goes back; the new document should be 2.0.0 or later")
    ]
    assert not back.breaking
    assert back.wrong
    unstated = diff(tree("tree: {a: 1}"), tree("tree: {a: 1, b: 2}"))
    assert [change.code for change in unstated.changes] == ["V007"]
    assert raised("0.3.1", "major") == "1.0.0"


def test_renames_say_why() -> None:
    old = 'tree: {a: 1, b: 2, c: 3, d: , e: }\nclasses: {a: {code: "A"}, d: {name: Dee}, e: {color: "#112233"}}'
    new = 'tree: {aa: 7, bb: 2, c: 3, dd: , ee: }\nclasses: {aa: {code: "A"}, dd: {name: Dee}, ee: {color: "#112233"}}'
    result = diff(tree(old), tree(new))
    renamed = {(c.id, c.to): c.detail for c in result.changes if c.what == "renamed"}
    assert renamed == {
        ("a", "aa"): "same code A",
        ("b", "bb"): "same pixel value 2",
        ("d", "dd"): "same name dee",
        ("e", "ee"): "same colour #112233",
    }
    assert [(c.id, c.detail) for c in result.changes if c.what == "pixel"] == [("a", "1 unused now; has 7 now")]
    assert not [c for c in result.changes if c.what in ("removed", "added")]


def test_a_reused_value_is_no_rename() -> None:
    """Other code, or other colour: another class that took the value of a removed one."""
    for key, one, other in (("code", '"A"', '"B"'), ("color", '"#ff0000"', '"#00ff00"')):
        old = f"tree: {{a: 1, b: 2}}\nclasses: {{a: {{{key}: {one}}}}}"
        new = f"tree: {{z: 1, b: 2}}\nclasses: {{z: {{{key}: {other}}}}}"
        changes = found(old, new)
        assert ("removed", "a", "", "major") in changes
        assert ("added", "z", "z", "minor") in changes
        assert ("pixel", "a", "", "major") in changes
        assert not [change for change in changes if change[0] == "renamed"]


def test_a_new_numbering_proves_nothing() -> None:
    """Where the classes that stay have other codes, an equal code is chance."""
    old = 'tree: {a: , b: , c: }\nclasses: {a: {code: "1"}, b: {code: "2"}, c: {code: "3"}}'
    new = 'tree: {a: , b: , z: }\nclasses: {a: {code: "7"}, b: {code: "8"}, z: {code: "3"}}'
    assert found(old, new) == {
        ("re-coded", "a", "a", "major"),
        ("re-coded", "b", "b", "major"),
        ("removed", "c", "", "major"),
        ("added", "z", "z", "minor"),
    }


def test_a_merged_value_of_a_deprecated_class_means_what_was_said() -> None:
    old = "tree: {lake: 1, pond: 2}\nclasses: {pond: {deprecated: {since: 1.0.0, use: [lake]}}}"
    assert found(old, "tree: {lake: [1, 2]}") == {("removed", "pond", "", "major")}
    assert [c.severity for c in diff(tree(old), tree("tree: {lake: [1, 2]}")).changes] == ["info"]
    assert ("pixel", "pond", "", "major") in found(old, "tree: {lake: 1, sea: 2}")


def test_children_of_a_renamed_class_have_not_moved() -> None:
    old = 'tree: {green: {a: 1, b: 2}}\nclasses: {green: {code: "G"}}'
    new = 'tree: {plants: {b: 2, a: 1}}\nclasses: {plants: {code: "G"}}'
    assert found(old, new) == {("renamed", "green", "plants", "major"), ("order", "green", "plants", "minor")}


def test_a_class_between_moves_what_is_below() -> None:
    new = "tree: {top: {mid: {a: 1, b: 2}}}"
    assert found("tree: {top: {a: 1, b: 2}}", new) == {
        ("level added", "", "", "minor"),
        ("added", "mid", "mid", "minor"),
        ("moved", "a", "a", "major"),
        ("moved", "b", "b", "major"),
    }


@settings(max_examples=60, deadline=None)
@given(taxonomies())
def test_nothing_changed(taxonomy: Taxonomy) -> None:
    result = diff(taxonomy, taxonomy)
    assert result.changes == ()
    assert result.version == taxonomy.version


def grown(taxonomy: Taxonomy, data: st.DataObject) -> Taxonomy:
    """With up to three new leaves at the ends of families."""
    nodes = list(taxonomy.nodes)
    for number in range(data.draw(st.integers(1, 3))):
        inner = [node for node in nodes if node.children]
        parent = data.draw(st.sampled_from([None, *inner]))
        leaf = Node(
            f"new{number}", 0 if parent is None else parent.level + 1, parent.id if parent else None, name="new"
        )
        at = len(nodes)
        if parent is not None:
            at = 1 + max(i for i, n in enumerate(nodes) if n.id in (parent.id, *_all_below(nodes, parent.id)))
            index = nodes.index(parent)
            nodes[index] = replace(parent, children=(*parent.children, leaf.id))
        nodes.insert(at, leaf)
    return replace(taxonomy, nodes=tuple(nodes))


def _all_below(nodes: list[Node], id_: str) -> list[str]:
    below: list[str] = []
    for node in nodes:
        if node.parent is not None and (node.parent == id_ or node.parent in below):
            below.append(node.id)
    return below


@settings(max_examples=60, deadline=None)
@given(taxonomies(), st.data())
def test_growing_is_minor_and_the_way_back_is_not(taxonomy: Taxonomy, data: st.DataObject) -> None:
    more = grown(taxonomy, data)
    names = {node.id for node in more.nodes} - {node.id for node in taxonomy.nodes}
    there, back = diff(taxonomy, more), diff(more, taxonomy)
    assert {(c.what, c.id) for c in there.changes} == {("added", id_) for id_ in names}
    assert {(c.what, c.id) for c in back.changes} == {("removed", id_) for id_ in names}
    assert not there.breaking
    assert back.breaking


@settings(max_examples=80, deadline=None)
@given(taxonomies(max_levels=2, kinds=False), st.data())
def test_values_against_looking_at_each(taxonomy: Taxonomy, data: st.DataObject) -> None:
    """V003 names just the classes of which a value means something else now; found again value by value."""
    ids = [node.id for node in taxonomy.nodes]

    def spans() -> tuple[tuple[int, int, str], ...]:
        ends = sorted(data.draw(st.sets(st.integers(0, 40), min_size=2, max_size=12)))
        pairs = zip(ends[::2], ends[1::2], strict=False)
        return tuple((low, high, data.draw(st.sampled_from(ids))) for low, high in pairs)

    before, after = spans(), spans()
    old = replace(taxonomy, encodings=MappingProxyType({"default": Encoding("default", "uint8", before)}))
    new = replace(taxonomy, encodings=MappingProxyType({"default": Encoding("default", "uint8", after)}))
    was = {value: id_ for low, high, id_ in before for value in range(low, high + 1)}
    now = {value: id_ for low, high, id_ in after for value in range(low, high + 1)}
    lost = {id_ for value, id_ in was.items() if now.get(value) != id_}
    gained = {id_ for value, id_ in now.items() if value not in was}
    changes = diff(old, new).changes
    assert {c.id for c in changes if c.code == "V003"} == lost
    assert {c.id for c in changes if c.what == "value added"} == gained - lost


@settings(max_examples=60, deadline=None)
@given(taxonomies(), st.data())
def test_the_draft_is_sound(taxonomy: Taxonomy, data: st.DataObject) -> None:
    """Whatever moved: the leaves that a class allows are among those that its line allows, where it has one."""
    new = _shuffled(grown(taxonomy, data), data)
    result = diff(taxonomy, new)
    draft = succession(result)
    links = resolve(draft.crosswalk, taxonomy, new)
    leaves = set(new.leaves)
    for node in taxonomy.nodes:
        went = {leaf for leaf in taxonomy.allowed(node.id) if leaf in leaves}
        if node.id in links and links[node.id].origin == "entry":
            assert went <= set(allowed(links[node.id], new)), node.id
    assert not draft.open
    assert set(taxonomy.leaves) <= set(links)


def _shuffled(taxonomy: Taxonomy, data: st.DataObject) -> Taxonomy:
    """With one leaf under another parent."""
    inner = [n for n in taxonomy.nodes if n.children and n.level + 1 < len(taxonomy.level_names)]
    movable = [
        n for n in taxonomy.nodes if not n.children and n.parent is not None and len(taxonomy[n.parent].children) > 1
    ]
    if not inner or not movable:
        return taxonomy
    leaf, parent = data.draw(st.sampled_from(movable)), data.draw(st.sampled_from(inner))
    if leaf.parent == parent.id:
        return taxonomy
    nodes = [n for n in taxonomy.nodes if n.id != leaf.id]
    nodes = [replace(n, children=tuple(c for c in n.children if c != leaf.id)) for n in nodes]
    index = next(i for i, n in enumerate(nodes) if n.id == parent.id)
    last = max([index, *(i for i, n in enumerate(nodes) if n.id in _all_below(nodes, parent.id))])
    nodes[index] = replace(nodes[index], children=(*nodes[index].children, leaf.id))
    nodes.insert(last + 1, replace(leaf, parent=parent.id, level=parent.level + 1))
    return replace(taxonomy, nodes=tuple(nodes))


def _codes(name: str) -> Mapping[str, str]:
    with (FACTS / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return {row["name"].partition(" (")[0].strip(): row["id_or_code"] for row in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def hcat() -> Diff:
    return diff(load("hcat3"), load("hcat4"))


def test_hcat_3_to_4(hcat: Diff) -> None:
    """Counted again in the published tables, by their names."""
    old, new = _codes("hcat3"), _codes("hcat4")
    by_sort: dict[str, list[str]] = {}
    for change in hcat.changes:
        by_sort.setdefault(change.what, []).append(change.id)
    assert len(old.keys() - new.keys()) == len(by_sort["removed"]) == 82
    assert "renamed" not in by_sort
    # The root of the new tree is implied by its table, and has no code.
    assert set(by_sort["re-coded"]) == {name for name in old.keys() & new.keys() if old[name] != new[name]} | {
        "crop_type"
    }
    assert set(by_sort["added"]) == new.keys() - old.keys()
    assert {"teff", "beans", "sunflower", "rapeseed_rape"} <= set(by_sort["moved"])
    assert not {"maize_corn_popcorn", "rye", "winter_rye"} & set(by_sort["moved"])
    assert (hcat.breaking, hcat.step, hcat.version) == (True, "major", "4.0.0")


def test_the_draft_of_hcat_says_no_more_than_is_known(hcat: Diff) -> None:
    draft = succession(hcat)
    verbs = {entry.source: (entry.verb, entry.targets) for entry in draft.crosswalk.entries}
    assert verbs["winter_rye"] == ("is", ("winter_rye",))
    assert verbs["cereal"] == ("overlaps", ("cereal", "canary_seed_canaryseed"))
    assert "unspecified_season_millet_sorghum" not in verbs
    guesses = dict(draft.open)
    assert guesses["parsly"] == "parsley"
    assert guesses["ginko"] == "gingko"
    assert guesses["meslin"] if "meslin" in guesses else guesses["winter_meslin"] is None
    removed = {change.id for change in hcat.changes if change.what == "removed"}
    assert set(guesses) <= removed
    assert not removed & set(verbs)


def test_land_cover_1_to_2(tmp_path: Path) -> None:
    result = diff(load("io_lulc_v1"), load("io_lulc_v2"))
    assert {(c.what, c.id) for c in result.changes if c.id} == {
        ("removed", "grass"),
        ("removed", "scrub"),
        ("added", "rangeland"),
    }
    draft = succession(result)
    assert draft.open == (("grass", "rangeland"), ("scrub", "rangeland"))
    path = tmp_path / f"{draft.crosswalk.id}.yaml"
    path.write_text(draft.text, encoding="utf-8")
    crosswalk, problems = read_file(path)
    assert crosswalk is None
    assert [problem.code for problem in problems] == ["X003"]
    path.write_text(draft.text.replace("  # grass", "  grass").replace("  # scrub", "  scrub"), encoding="utf-8")
    crosswalk, problems = read_file(path)
    assert crosswalk is not None, problems
    assert not problems


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["taxonomy", "diff", *arguments])


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    head = "hieratk: taxonomy/1\nid: x\nversion: "
    Path("a.yaml").write_text(head + "1.0.0\ntree: {old: {a: 1, b: 2, c: 3}, d: 4}\n", encoding="utf-8")
    Path("b.yaml").write_text(head + "2.0.0\ntree: {d: 4, e: 5}\n", encoding="utf-8")
    Path("c.yaml").write_text(head + "1.1.0\ntree: {old: {a: 1, b: 2, c: 3}, d: 4, e: 5}\n", encoding="utf-8")
    result = run("a.yaml", "b.yaml", "-o", "draft.yaml")
    assert result.exit_code == 1
    assert result.stdout == (
        "x  1.0.0 -> 2.0.0\n\nerror[V001] removed, major: 4\n  old  at the top, and 3 below it\n\n"
        "error[V001] level removed, major: 1\n    level2\n\n"
        "info[V007] added, minor: 1\n  e  at the top\n\n"
        "breaking: 5 of 6 changes; a major step is needed, and version 2.0.0 is one\n"
    )
    draft = Path("draft.yaml").read_text(encoding="utf-8")
    assert "# 3 removed without a successor" in draft
    assert (
        'id: draft\nversion: 0.1.0\ntitle: x 1.0.0 to x 2.0.0\nfrom: {taxonomy: a.yaml, version: ">=1.0.0,<2"}' in draft
    )
    assert run("a.yaml", "c.yaml", "-o", "grown.yaml").exit_code == 0
    crosswalk, problems = read_file("grown.yaml")
    assert crosswalk is not None, problems
    assert {entry.source: entry.verb for entry in crosswalk.entries} == dict.fromkeys(("old", "a", "b", "c", "d"), "is")
    assert isinstance(run("a.yaml", "b.yaml", "-o", "draft.yaml").exception, TaxonomyError)
    assert run("a.yaml", "c.yaml").exit_code == 0
    assert "not breaking; a minor step is needed, and version 1.1.0 is one" in run("a.yaml", "c.yaml").stdout
    assert "no changes" in run("a.yaml", "a.yaml").stdout
    content = json.loads(run("a.yaml", "b.yaml", "--format", "json").stdout)
    assert content["breaking"] is True
    assert content["proposed"] == "2.0.0"
    assert {change["code"] for change in content["changes"]} == {"V001", "V007"}
    assert isinstance(run("a.yaml", "nowhere.yaml").exception, TaxonomyError)
    assert isinstance(run("a.yaml", "b.yaml", "--format", "xml").exception, TaxonomyError)


def test_long_lists_are_cut_unless_all_is_asked_for() -> None:
    short, long = run("hcat3", "hcat4"), run("hcat3", "hcat4", "--all")
    assert short.exit_code == long.exit_code == 1
    assert "… and 292 more (--all)" in short.stdout
    assert "--all" not in long.stdout
    assert len(short.stdout.splitlines()) < 80 < 300 < len(long.stdout.splitlines())
