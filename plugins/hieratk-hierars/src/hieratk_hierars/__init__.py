"""The data sets of the HieraRS paper, as plugins of hieratk."""

HIERATK_API = 1
"""The version of `hieratk.protocols` that these plugins were written for."""
