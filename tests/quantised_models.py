"""Small quantised models: floats from ONNX text, QuantizeLinear and DequantizeLinear around the operators named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxpress.testing import model as parse
from onnxpress.verify import verify

CUBES = ("AveragePool", "Conv", "ConvTranspose", "Gemm", "MatMul")
_OUTPUT_AXIS = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1, "MatMul": -1}


def quantised(
    text: str,
    *,
    seed: int = 0,
    per_channel: bool = True,
    share: bool = False,
    step: float = 0.031,
    zero_point: int = -7,
    **weights: Any,
) -> ir.Model:
    """The model of `text` with every layer of `CUBES` quantised; initialisers declared as inputs ``w...``, ``b...``.

    Args:
        text: ONNX text; every input but the first is a weight, filled with random numbers.
        seed: Of those numbers.
        per_channel: One scale for each output channel.
        share: Layers of one weight share its integers; else each has scales of its own.
        step: Scale of the first quantised tensor; every next is 1.07 times the one before.
        zero_point: Of every quantised tensor.
        **weights: Numbers for weights by name.
    """
    rng = np.random.default_rng(seed)
    shapes = {value.name: tuple(map(int, value.shape)) for value in parse(text).graph.inputs[1:]}
    for name, shape in shapes.items():
        weights.setdefault(name, rng.normal(size=shape).astype(np.float32))
    model = parse(text, **weights)
    pairs: dict[ir.Value, ir.Value] = {}
    stored: dict[ir.Value, ir.Value] = {}
    for node in [*model.graph]:
        if node.op_type in CUBES:
            x = node.inputs[0]
            if x not in pairs:
                pairs[x] = _pair(model, node, x, np.float32(step * 1.07 ** len(pairs)), zero_point)
            node.replace_input_with(0, pairs[x])
            if node.op_type != "AveragePool":
                weight = node.inputs[1]
                if weight not in stored or not share:
                    stored[weight] = _weight(model, node, rng, per_channel)
                node.replace_input_with(1, stored[weight])
    verify(model)
    return model


def _pair(model: ir.Model, node: ir.Node, x: ir.Value, step: np.float32, zero_point: int) -> ir.Value:
    scale, zero = _constant(model, f"{x.name}_scale", step), _constant(model, f"{x.name}_zero", np.int8(zero_point))
    quantize = ir.Node("", "QuantizeLinear", [x, scale, zero], outputs=[ir.Value(name=f"{x.name}_quantized")])
    dequantize = ir.Node(
        "", "DequantizeLinear", [quantize.outputs[0], scale, zero], outputs=[ir.Value(name=f"{x.name}_dequantized")]
    )
    model.graph.insert_before(node, [quantize, dequantize])
    return dequantize.outputs[0]


def _weight(model: ir.Model, node: ir.Node, rng: np.random.Generator, per_channel: bool) -> ir.Value:
    value = node.inputs[1]
    floats = value.const_value.numpy()
    axis = _OUTPUT_AXIS[node.op_type]
    axis = (1 - axis if node.attributes.get_int("transB", 0) else axis) % floats.ndim
    channels = floats.shape[axis] if per_channel and floats.ndim != 3 else 1
    scales = rng.uniform(0.01, 0.03, channels).astype(np.float32)
    spread = scales.reshape([-1 if place == axis else 1 for place in range(floats.ndim)])
    integers = np.clip(np.rint(floats / spread), -128, 127).astype(np.int8)
    name = f"{value.name}_{node.name or node.outputs[0].name}"
    scale = _constant(model, f"{name}_scale", scales if channels > 1 else scales[0])
    zero = _constant(model, f"{name}_zero", np.zeros(channels, np.int8) if channels > 1 else np.int8(0))
    stored = _constant(model, f"{name}_quantized", integers)
    attributes: Sequence[ir.Attr] = [ir.AttrInt64("axis", axis)] if channels > 1 else []
    dequantize = ir.Node(
        "", "DequantizeLinear", [stored, scale, zero], attributes, outputs=[ir.Value(name=f"{name}_dequantized")]
    )
    model.graph.insert_before(node, dequantize)
    return dequantize.outputs[0]


def _constant(model: ir.Model, name: str, array: Any) -> ir.Value:
    tensor = ir.tensor(np.asarray(array), name=name)
    value = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=tensor.shape, const_value=tensor)
    model.graph.register_initializer(value)
    return value
