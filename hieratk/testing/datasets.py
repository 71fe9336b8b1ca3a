"""Whether a data set plugin keeps its contract."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hieratk.data.scenes import Scene, SceneReader
from hieratk.rasters import Window
from hieratk.taxonomy.catalog import load
from hieratk.taxonomy.tables import UNDECLARED
from hieratk.taxonomy.tree import Taxonomy
from hieratk.testing.checks import Check, Run, check_signature, expect


def check_dataset(
    factory: Callable[..., Any], *, options: Mapping[str, Any] | None = None, folder: Path | None = None
) -> list[Check]:
    """Whether a factory gives a data set as `hieratk.protocols.Dataset` says, in an empty folder if none is given.

    At most 256 x 256 pixels of each scene are read.
    """
    run = Run()
    run.check("signature", lambda: check_signature(factory, first="folder"))
    with tempfile.TemporaryDirectory() as empty:
        made: list[Any] = []
        if run.check("builds", lambda: made.append(factory(folder or Path(empty), **(options or {})))):
            dataset = made[0]
            run.check("states name, licence and citation", lambda: _stated(dataset))
            if run.check("taxonomy", lambda: load(dataset.taxonomy)):
                run.check("scenes", lambda: _scenes(dataset, load(dataset.taxonomy)))
    return run.checks


def _stated(dataset: Any) -> None:
    for name in ("name", "licence", "citation"):
        value = getattr(dataset, name, None)
        expect(isinstance(value, str) and bool(value.strip()), f"`{name}` must be text, not {value!r}")


def _scenes(dataset: Any, taxonomy: Taxonomy) -> None:
    scenes = getattr(dataset, "scenes", None)
    expect(isinstance(scenes, list | tuple) and bool(scenes), f"`scenes` must be scenes, not {scenes!r}")
    for scene in scenes or ():
        expect(isinstance(scene, Scene), f"a scene is a {type(scene).__name__}, not a hieratk.data.scenes.Scene")
        name = scene.name or str(scene.image)
        with SceneReader(scene, taxonomy) as reader:
            window = Window(0, 0, min(256, reader.grid.height), min(256, reader.grid.width))
            reader.image(window)
            if scene.label is None:
                continue
            unknown = np.unique(reader.values(window)[reader.rows(window) == UNDECLARED])
            strange = [int(value) for value in unknown if int(value) not in reader.void_values]
            expect(not strange, f"{name}: label values {strange[:8]} are not declared by {taxonomy.id}")
