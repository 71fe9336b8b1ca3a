"""Hierarchy-aware semantic segmentation of satellite imagery.

The names here load neither torch nor rasterio; everything that needs them lives in submodules (`hieratk.losses`,
`hieratk.models`, `hieratk.prediction`, ...).
"""

from hieratk.errors import HieratkError
from hieratk.taxonomy.catalog import load, names, validate
from hieratk.taxonomy.tables import Tables
from hieratk.taxonomy.tables import compile_tables as compile
from hieratk.taxonomy.tree import Level, Node, Taxonomy

__version__ = "0.1.0"

__all__ = ["HieratkError", "Level", "Node", "Tables", "Taxonomy", "compile", "load", "names", "validate"]
