"""Images and label masks that lie in two folders under the same names, and who is in which split."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from hieratk.data.scenes import Scene
from hieratk.errors import DataError
from hieratk.rasters import inspect

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".img")


def pair(
    name: str,
    root: str,
    *,
    images: str,
    labels: str,
    mark: str = "",
    bands: int,
    encoding: str,
    scale: float = 1.0,
    offset: float = 0.0,
) -> tuple[Scene, ...]:
    """One scene for each image of `root/images`, with the mask of `root/labels` of the same name plus `mark`.

    Args:
        name: what messages call the data set. bands: how many the first image must have.
        encoding: of the taxonomy that the masks are written in.

    Raises DataError where a folder or a mask is missing, or the band count is another.
    """
    folder, masks = Path(root).expanduser() / images, Path(root).expanduser() / labels
    found = {key: _by_stem(name, place) for key, place in (("images", folder), ("labels", masks))}
    missing = [stem for stem in found["images"] if stem + mark not in found["labels"]]
    if missing:
        raise DataError(
            f"{name}: {len(missing)} of {len(found['images'])} images have no mask: {folder / missing[0]} wants "
            f"{masks / (missing[0] + mark)}{SUFFIXES[0]}; give the ending of the masks' names as `mark`"
        )
    first = next(iter(found["images"].values()))
    count = inspect(first).count
    if count != bands:
        raise DataError(f"{name}: {first} has {count} bands, expected {bands}; is it of another source?")
    return tuple(
        Scene(path, found["labels"][stem + mark], encoding=encoding, scale=scale, offset=offset, name=stem)
        for stem, path in found["images"].items()
    )


def listed_splits(name: str, root: str, scenes: Sequence[Scene]) -> dict[str, Split] | None:
    """Scene -> split from `train.txt`, `val.txt` and `test.txt` in the root (one name a line); None without them.

    A patch `<scene>_<row>_<col>` belongs where its scene is listed. Raises DataError for a name that nothing has, and
    for a scene in two lists.
    """
    places = {split: Path(root).expanduser() / f"{split}.txt" for split in SPLITS}
    present = {split: path for split, path in places.items() if path.is_file()}
    if not present:
        return None
    known = {scene.name for scene in scenes} | {_whole(scene.name) for scene in scenes}
    listed: dict[str, Split] = {}
    for split, path in present.items():
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            stem = Path(text.strip()).stem if text.strip().endswith(SUFFIXES) else text.strip()
            if not stem:
                continue
            if stem not in known:
                raise DataError(f"{name}: {path}, line {line}: there is no scene `{stem}`")
            if listed.get(stem, split) != split:
                raise DataError(f"{name}: {path}, line {line}: `{stem}` is listed under {listed[stem]} too")
            listed[stem] = split
    chosen = {scene.name: listed.get(scene.name) or listed.get(_whole(scene.name)) for scene in scenes}
    return {scene: split for scene, split in chosen.items() if split is not None}


def drawn_splits(scenes: Sequence[Scene], *, val: float, test: float, seed: int) -> dict[str, Split]:
    """Scene -> split by a hash of seed and name: the same on every machine, whatever else the folder holds."""
    chosen: dict[str, Split] = {}
    for scene in scenes:
        digest = hashlib.sha256(f"{seed}:{scene.name}".encode()).digest()
        share = int.from_bytes(digest[:8], "big") / 2**64
        chosen[scene.name] = "test" if share < test else "val" if share < test + val else "train"
    return chosen


def write_splits(folder: Path, scenes: Sequence[Scene], splits: Mapping[str, Split], *, tile: int) -> Path:
    """`splits.csv` in a folder, for `split: {kind: table, table: ..., tile: ...}`: every tile of every scene.

    Scenes in no split are left out. Raises DataError where the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["scene", "row", "col", "split"])
    for scene in scenes:
        if scene.name in splits:
            grid = inspect(scene.images[0]).grid
            places = ((r, c) for r in range(-(-grid.height // tile)) for c in range(-(-grid.width // tile)))
            writer.writerows([scene.name, row, col, splits[scene.name]] for row, col in places)
    target, beside = folder / "splits.csv", folder / f".splits.csv.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside.write_text(text.getvalue(), encoding="utf-8")
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise DataError(f"cannot write {target}: {error.strerror}; run where the folder can be written") from None
    return target


def _by_stem(name: str, folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        near = sorted(path.name for path in folder.parent.iterdir() if path.is_dir()) if folder.parent.is_dir() else []
        there = f"; there are {', '.join(near)}" if near else ""
        raise DataError(f"{name}: no folder {folder}{there}; give `root`, and `images` and `labels` within it")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            if path.stem in found:
                raise DataError(f"{name}: {found[path.stem]} and {path} have the same name; keep one")
            found[path.stem] = path
    if not found:
        raise DataError(f"{name}: {folder} holds no {', '.join(SUFFIXES)}")
    return found


def _whole(patch: str) -> str:
    """The scene of a patch `<scene>_<row>_<col>`."""
    parts = patch.rsplit("_", 2)
    return parts[0] if len(parts) == 3 and parts[1].isdecimal() and parts[2].isdecimal() else patch
