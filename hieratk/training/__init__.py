"""Fitting a model to a run file, and the checkpoints that come of it."""
