"""Feature networks of timm, as backbones of hieratk."""

HIERATK_API = 1
"""The version of `hieratk.protocols` that this was written for."""
