"""Graphs with QuantizeLinear and DequantizeLinear from ONNX text, as any tool might have left them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxpress.testing import model

USUAL: dict[str, Any] = {
    "sx": np.float32(0.05),
    "zx": np.int8(-7),
    "ux": np.uint8(121),
    "sw": np.float32(0.02),
    "zw": np.int8(0),
}
"""Scales and zero points that a graph may use without saying what they are."""


def quantized_graph(
    body: str, *, x: str = "float[2,4,6,6] x", y: str = "y", opset: int = 17, **constants: Any
) -> ir.Model:
    """A model with these initialisers; nodes are called after what they give.

    Args:
        body: The nodes.  ``D = PAIR(x)`` stands for QuantizeLinear and DequantizeLinear with `sx` and `zx`.
        x: The inputs.
        y: The outputs.
        opset: Of the default domain.
        **constants: Arrays of any dtype, by name.
    """
    pair = r"\1_q = QuantizeLinear(\2, sx, zx) \1 = DequantizeLinear(\1_q, sx, zx)"
    body = re.sub(r"(\w+) = PAIR\((\w+)\)", pair, body)
    used = set(re.findall(r"\w+", body))
    arrays = {name: np.asarray(array) for name, array in (USUAL | constants).items() if name in used}
    declared = "".join(
        f", {ir.DataType.from_numpy(array.dtype).name.lower()}[{','.join(map(str, array.shape))}] {name}"
        for name, array in arrays.items()
    )
    header = f'<ir_version: 10, opset_import: ["" : {opset}]>'
    made = model(f"{header} g ({x}{declared}) => ({y}) {{ {body} }}", **arrays)
    for node in made.graph.all_nodes():
        node.name = node.name or node.outputs[0].name
    return made


def whole(*shape: int, seed: int = 0, dtype: str = "int8", high: int = 127) -> np.ndarray[Any, Any]:
    """Random integers, `high` at most, of both signs where there are two."""
    low = 0 if dtype.startswith("u") else -high
    return np.random.default_rng(seed).integers(low, high, shape, dtype=dtype, endpoint=True)
