"""Layers as data, without a model."""

from __future__ import annotations

from typing import Any

from onnxpress.decomposition.layer_stacks import Layer


def layer(*shape: int, **own: Any) -> Layer:
    """A layer with this weight, ``(outputs, inputs, *kernel)``, of stride 1 and without padding but for `own`."""
    axes = len(shape) - 2
    plain = {"strides": (1,) * axes, "pads": (0,) * axes * 2, "dilations": (1,) * axes, **own}
    return Layer(name="conv", operator="Conv" if axes else "Gemm", weight="w", weight_shape=shape, **plain)
