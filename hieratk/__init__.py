"""Hierarchy-aware semantic segmentation of satellite imagery.

The names here load neither torch nor rasterio; everything that needs them lives in submodules (`hieratk.losses`,
`hieratk.models`, `hieratk.prediction`, ...).
"""

from typing import TYPE_CHECKING, Any

from hieratk.errors import HieratkError

if TYPE_CHECKING:
    from hieratk.taxonomy.catalog import load, names, validate
    from hieratk.taxonomy.tables import Tables
    from hieratk.taxonomy.tables import compile_tables as compile
    from hieratk.taxonomy.tree import Level, Node, Taxonomy
    from hieratk.transfer.planning import plan

__version__ = "0.1.0"

__all__ = ["HieratkError", "Level", "Node", "Tables", "Taxonomy", "compile", "load", "names", "plan", "validate"]


def __getattr__(name: str) -> Any:
    # Whoever checks a taxonomy waits for nothing else: numpy, which tables need, takes longer than the whole check.
    if name in ("load", "names", "validate"):
        from hieratk.taxonomy import catalog

        return getattr(catalog, name)
    if name in ("Level", "Node", "Taxonomy"):
        from hieratk.taxonomy import tree

        return getattr(tree, name)
    if name in ("Tables", "compile"):
        from hieratk.taxonomy import tables

        return tables.Tables if name == "Tables" else tables.compile_tables
    if name == "plan":
        from hieratk.transfer.planning import plan

        return plan
    raise AttributeError(f"module 'hieratk' has no attribute {name!r}")
