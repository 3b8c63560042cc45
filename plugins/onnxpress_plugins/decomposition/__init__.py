"""Layers as stacks of smaller ones: which can be, at which ranks, and the stacks in their place."""
