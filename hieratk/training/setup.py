"""From a run file to everything a step needs: the tree, the scenes, the split and what a survey found in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hieratk.config import BlockSplit, RandomSplit, RunFile, TableSplit
from hieratk.data.few import Labelled, blocks, points_per_class
from hieratk.data.scenes import Dataset, Scene
from hieratk.data.split import Split, block_split, random_split, table_split
from hieratk.data.survey import Survey, survey
from hieratk.errors import ConfigError
from hieratk.plugins import check_options
from hieratk.plugins import load as load_plugin
from hieratk.taxonomy.catalog import load
from hieratk.taxonomy.tree import Taxonomy


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run with its data opened and surveyed. `labelled` is what of the training labels may be used."""

    run: RunFile
    taxonomy: Taxonomy
    scenes: tuple[Scene, ...]
    split: Split
    survey: Survey
    labelled: Labelled

    @property
    def bands(self) -> tuple[int, ...]:
        """1-based bands that the network sees, in order."""
        return self.survey.bands


def prepare(run: RunFile, *, folder: Path) -> Prepared:
    """Load the tree, find the scenes, make the split and survey the labels: one pass over the data.

    `folder` is where a data set plugin may write its files. Raises HieratkError for anything that cannot be trained on.
    """
    taxonomy = load(run.taxonomy())
    scenes = _scenes(run, folder)
    unlabelled = [scene.image for scene in scenes if scene.label is None]
    if unlabelled:
        raise ConfigError(f"the scene {unlabelled[0]} has no `label`; training and scoring need one for every scene")
    split = _split(run, scenes, taxonomy)
    found = survey(scenes, split, taxonomy)
    return Prepared(run, taxonomy, scenes, split, found, _labelled(run, scenes, split, found, taxonomy))


def _scenes(run: RunFile, folder: Path) -> tuple[Scene, ...]:
    wanted = run.run.dataset
    if wanted is not None:
        factory = load_plugin("dataset", wanted.name)
        options = check_options(factory, wanted.options, plugin=f"dataset '{wanted.name}'")
        dataset: Dataset = factory(folder / "data", **options)
        return dataset.scenes
    return tuple(
        Scene(
            run.path(spec.image),
            run.path(spec.label) if spec.label else None,
            encoding=spec.encoding,
            bands=spec.bands,
            nodata=spec.nodata,
            scale=spec.scale,
            offset=spec.offset,
            name=spec.name or Path(spec.image).stem,
        )
        for spec in run.run.scenes or ()
    )


def _split(run: RunFile, scenes: tuple[Scene, ...], taxonomy: Taxonomy) -> Split:
    wanted = run.run.split
    if isinstance(wanted, TableSplit):
        return table_split(scenes, run.path(wanted.table), tile=wanted.tile)
    if isinstance(wanted, RandomSplit):
        return random_split(
            scenes,
            taxonomy,
            block=wanted.block,
            test=wanted.test,
            val=wanted.val,
            seed=wanted.seed,
            stratify=wanted.stratify,
        )
    assert isinstance(wanted, BlockSplit)
    return block_split(
        scenes, block=wanted.block, folds=wanted.folds, a=wanted.a, b=wanted.b, test=wanted.test, val=wanted.val
    )


def _labelled(run: RunFile, scenes: tuple[Scene, ...], split: Split, found: Survey, taxonomy: Taxonomy) -> Labelled:
    few = run.run.labels
    if few is None:
        return Labelled(split, found, None)
    if few.points is not None:
        return points_per_class(scenes, split, found, taxonomy, number=few.points, seed=few.seed)
    assert few.blocks is not None
    return blocks(split, found, number=few.blocks, seed=few.seed)
