"""The exceptions a user can cause. Each says the place, the value and the way out in one message."""

from __future__ import annotations


class HieratkError(Exception):
    """Base of everything that bad input can raise. The command line prints it as `error: ...` and exits with 2."""


class TaxonomyError(HieratkError):
    """A class tree that cannot be used: not found, not valid, or not the one that was meant."""


class CrosswalkError(HieratkError):
    """A crosswalk that cannot be used: not found, not valid, or for another version of a tree."""


class ConfigError(HieratkError):
    """A run file that says something impossible."""


class PluginError(HieratkError):
    """A plugin that is missing, clashes with another, fails to import or refuses its options."""


class RasterError(HieratkError):
    """A raster that is missing, broken, of the wrong size, bands or reference system, or cannot be written."""


class DataError(HieratkError):
    """Scenes, labels or a split from which nothing can be learned or scored."""


class ExchangeError(HieratkError):
    """A file of another format that cannot be read, or a tree that a format cannot hold."""


class CheckpointError(HieratkError):
    """A checkpoint that is missing, incomplete, of another tree or of another format version."""


class TransferError(HieratkError):
    """Two trees, models or plans that cannot be brought together."""
