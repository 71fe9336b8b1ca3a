"""Scenes, splits, surveys, chips and augmentation: from rasters on disk to batches of tensors."""
