"""Decoders of segmentation-models-pytorch and backbones of timm, as plugins of hieratk."""

HIERATK_API = 1
"""The version of `hieratk.protocols` that these plugins were written for."""
