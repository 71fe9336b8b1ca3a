"""Hierarchy-aware semantic segmentation of satellite imagery.

The names here load neither torch nor rasterio; everything that needs them lives in submodules (`hieratk.losses`,
`hieratk.models`, `hieratk.prediction`, ...).
"""

from typing import TYPE_CHECKING, Any

from hieratk.errors import HieratkError
from hieratk.taxonomy.catalog import load, names, validate
from hieratk.taxonomy.tree import Level, Node, Taxonomy

if TYPE_CHECKING:
    from hieratk.taxonomy.tables import Tables
    from hieratk.taxonomy.tables import compile_tables as compile

__version__ = "0.1.0"

__all__ = ["HieratkError", "Level", "Node", "Tables", "Taxonomy", "compile", "load", "names", "validate"]


def __getattr__(name: str) -> Any:
    # Tables need numpy, whose import takes as long as checking a large taxonomy; who only checks one does not wait
    # for it.
    if name in ("Tables", "compile"):
        from hieratk.taxonomy import tables

        return tables.Tables if name == "Tables" else tables.compile_tables
    raise AttributeError(f"module 'hieratk' has no attribute {name!r}")
