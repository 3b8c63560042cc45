"""Graphs of TensorFlow 1, from files, checkpoints and old SavedModels."""
