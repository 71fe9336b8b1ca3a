"""Fused forms of the hot paths, each with a plain twin that it is tested against."""
