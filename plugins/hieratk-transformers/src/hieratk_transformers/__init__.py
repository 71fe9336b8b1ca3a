"""SegFormer, UPerNet and the vision backbones of transformers, as plugins of hieratk."""

HIERATK_API = 1
"""The version of `hieratk.protocols` that these plugins were written for."""
