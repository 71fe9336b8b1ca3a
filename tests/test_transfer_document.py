"""A plan as a document: written, edited, read back, and every mistake in it at its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hieratk as hk
from hieratk.crosswalk import load as load_crosswalk
from hieratk.diagnostics import Source, render
from hieratk.errors import TransferError
from hieratk.taxonomy.tree import Taxonomy
from hieratk.transfer import TransferPlan, dump, load, read
from tests.strategies import taxonomies

SMALL = Taxonomy.from_outline({"rice": 1, "maize": 2, "town": 3}, id="small")
GROWN = Taxonomy.from_outline({"grain": {"rice": 1, "maize": 2}, "city": 3}, id="grown")


def back(plan: TransferPlan, source: Taxonomy, target: Taxonomy) -> TransferPlan:
    again, problems = read(Source("plan.yaml", dump(plan)), source, target)
    assert again is not None, render(problems)
    assert not problems
    return again


@pytest.mark.parametrize(
    ("source", "target", "crosswalk"),
    [("lclu", "crops", None), ("mm5b", "crops10m", "mm5b_to_crops10m"), ("mm5b", "crops10m", None),
     ("nlcd", "usda_cdl", "nlcd_to_usda_cdl"), ("nlcd", "usda_cdl", None), ("corine", "hcat3", "corine_to_hcat3"),
     ("hcat3", "hcat4", None)],
)  # fmt: skip
def test_what_is_written_is_read(source: str, target: str, crosswalk: str | None) -> None:
    trees = hk.load(source), hk.load(target)
    counted = {node.id: {"train": 3, "val": 0} for node in trees[1].predicted[::2]}
    plan = hk.plan(*trees, crosswalk=load_crosswalk(crosswalk) if crosswalk else None, survey=counted)
    assert back(plan, *trees) == plan
    assert max(map(len, dump(plan).splitlines())) <= 400


@settings(max_examples=40, deadline=None)
@given(taxonomies(max_levels=4), taxonomies(max_levels=4), st.booleans())
def test_any_plan_is_read(source: Taxonomy, target: Taxonomy, counted: bool) -> None:
    # The random trees share ids and ids only; of one id they are versions of one tree.
    survey = {node.id: {"train": 7} for node in target.predicted} if counted else None
    plan = hk.plan(source, target, survey=survey)
    assert back(plan, source, target) == plan


def test_an_edit_holds() -> None:
    plan = hk.plan(SMALL, GROWN)
    text = dump(plan)
    assert "  city: {action: new, relation: none, reason: none, evidence:" in text
    line = next(line for line in text.splitlines() if line.startswith("  city:"))
    text = text.replace(
        line, "  city: {action: split, relation: subset, aligned: [town], start: {town: 0.5, rice: 0.5}, noise: 0.02}"
    )
    again, problems = read(Source("plan.yaml", text), SMALL, GROWN)
    assert not problems
    assert again is not None
    row = again["city"]
    assert (row.action, row.relation, row.aligned, row.noise) == ("split", "subset", ("town",), 0.02)
    assert row.start == (("town", 0.5), ("rice", 0.5))
    assert (row.level, row.under, row.reason) == (0, None, "none")


MISTAKES = [
    ("hieratk: transfer/1", "hieratk: transfer/9", "Q001", "hieratk", "this is no transfer plan"),
    ("{rice: 1}", "{rise: 1}", "Q002", "rise", "small has no class `rise`"),
    ("  rice:", "  rise:", "Q002", "rise", "grown has no class `rise`"),
    ("aligned: [rice]", "aligned: [grain]", "Q002", "grain", "small has no class `grain`"),
    ("{rice: 1}", "{rice: 0.7}", "Q004", "{rice: 0.7}", "the weights sum to 0.7, not to 1"),
    ("{rice: 1}", "{rice: 2, maize: -1}", "Q004", "-1", "`-1` is no number of 0 or more"),
    ("{rice: 1}", "{rice: much}", "Q004", "much", "`much` is no number of 0 or more"),
    ("{rice: 1}", "{rice: 0.5, maize: 0.5}", "Q006", "keep",
     "`rice` is to keep a row, and starts from `rice`, `maize`"),
    ("action: keep", "action: kept", "Q001", "kept", "`kept` is no action"),
    ("action: keep, ", "", "Q001", "rice", "the row of `rice` has no `action`"),
    ("relation: equal, aligned: [rice]", "relation: same, aligned: [rice]", "Q001", "same", "`same` is no relation"),
    ("aligned: [rice], ", "", "Q006", "keep", "the relation of `rice` is `equal`, and `aligned` names no class"),
    ("action: keep, relation: equal, aligned: [rice], start: {rice: 1}",
     "action: split, relation: equal, aligned: [rice]",
     "Q006", "split", "`rice` is to split rows, and `start` names none"),
    ("{rice: 1}", "{rice: 1}, noise: 0.1", "Q006", "keep",
     "`rice` is to keep its row, and noise of 0.1 would change it"),
    ("{rice: 1}", "rice", "Q001", "rice", "`start` gives classes of the source their weights: {rice: 0.5, ...}"),
    ("{rice: 1}", "{rice: 1}, weight: 3", "Q001", "weight", "a row has no key `weight`"),
    ("taxonomy: small", "taxonomy: little", "Q005", "little",
     "the plan is for `little`, and the tree given here is `small`"),
    ("frozen: [source backbone", "frozen: [source heart", "Q001", "source heart", "`source heart` is no part"),
    ("\nrows:", "\nlines:", "Q001", "lines", "a plan has no key `lines`"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "code", "underlined", "message"), MISTAKES)
def test_every_mistake_at_its_place(right: str, wrong: str, code: str, underlined: str, message: str) -> None:
    text = dump(hk.plan(SMALL, GROWN))
    head, _, row = text.partition("\n  rice:")
    assert right in text
    # The row of rice is edited, not one like it; heads are edited where they stand.
    text = (
        head + ("\n  rice:" + row).replace(right, wrong, 1)
        if right in "\n  rice:" + row
        else text.replace(right, wrong, 1)
    )
    plan, problems = read(Source("plan.yaml", text), SMALL, GROWN)
    assert plan is None
    found = [(problem.code, problem.underlined, problem.message) for problem in problems]
    assert (code, underlined, message) in found, render(problems)


def test_one_typo_one_message() -> None:
    text = dump(hk.plan(SMALL, GROWN)).replace("  rice:", "  rise:")
    _, problems = read(Source("plan.yaml", text), SMALL, GROWN)
    assert [problem.code for problem in problems] == ["Q002"]
    assert problems[0].help == "did you mean `rice`?"


def test_a_missing_row() -> None:
    text = dump(hk.plan(SMALL, GROWN))
    line = next(line for line in text.splitlines() if line.startswith("  rice:"))
    _, problems = read(Source("plan.yaml", text.replace(line + "\n", "")), SMALL, GROWN)
    assert [(problem.code, problem.message) for problem in problems] == [("Q003", "no row for `rice`")]


def test_a_plan_of_other_trees() -> None:
    text = dump(hk.plan(SMALL, GROWN))
    later = Taxonomy.from_outline({"grain": {"rice": 1, "maize": 2, "rye": 4}, "city": 3}, id="grown")
    plan, problems = read(Source("plan.yaml", text), SMALL, later)
    assert plan is None
    assert [problem.code for problem in problems] == ["Q005", "Q003"] or [problem.code for problem in problems] == [
        "Q005"
    ]
    assert "another version of `grown`" in problems[0].message


def test_weights_that_miss_1_by_rounding() -> None:
    text = dump(hk.plan(SMALL, GROWN)).replace("{rice: 0.5, maize: 0.5}", "{rice: 0.3333, maize: 0.6666}")
    assert "0.6666" in text
    plan, problems = read(Source("plan.yaml", text), SMALL, GROWN)
    assert plan is not None, render(problems)
    assert sum(weight for _, weight in plan["grain"].start) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "hieratk: transfer/1\n", "hieratk: transfer/1\nrows: {", "a: &b 1", "\0", "rows"]
)
def test_what_is_no_plan(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TransferError, match="cannot be used"):
        load(path, SMALL, GROWN)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_damaged_plan_is_refused_or_read_but_never_a_crash(data: st.DataObject) -> None:
    text = dump(hk.plan(SMALL, GROWN))
    at = data.draw(st.integers(0, len(text)))
    to = data.draw(st.integers(at, min(len(text), at + 12)))
    text = text[:at] + data.draw(st.text(alphabet="abr:{}[], \n01.#-'\"", max_size=6)) + text[to:]
    plan, problems = read(Source("plan.yaml", text), SMALL, GROWN)
    assert plan is not None or any(problem.severity == "error" for problem in problems)
    assert render(problems) is not None
