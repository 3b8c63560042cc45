"""Weights stored as integers, where every kind of operator wants them, in every mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.testing import model as parse

Agree = Callable[..., list[str]]
Run = Callable[..., dict[str, Any]]

GENERATOR = np.random.default_rng(0)
IMAGE = GENERATOR.normal(size=(2, 4, 8, 8)).astype(np.float32)
ROW = GENERATOR.normal(size=(2, 4, 8)).astype(np.float32)
CUBE = GENERATOR.normal(size=(2, 4, 5, 5, 5)).astype(np.float32)
MATRIX = GENERATOR.normal(size=(3, 10)).astype(np.float32)
KINDS = {"int8": "int8", "uint8": "uint8", "int16": "int16", "uint16": "uint16", "int32": "int32", "float32": "float"}

PLACES: dict[str, tuple[str, Any, tuple[int, ...], int, bool]] = {
    "convolution": ("Conv(x, w)", IMAGE, (6, 4, 3, 3), 0, False),
    "strided": ("Conv<strides=[2,2], pads=[1,1,1,1]>(x, w)", IMAGE, (6, 4, 3, 3), 0, False),
    "depthwise": ("Conv<group=4>(x, w)", IMAGE, (4, 1, 3, 3), 0, False),
    "depthwise of multiplier 2": ("Conv<group=4>(x, w)", IMAGE, (8, 1, 3, 3), 0, False),
    "grouped": ("Conv<group=2>(x, w)", IMAGE, (6, 2, 3, 3), 0, False),
    "by input channel": ("Conv(x, w)", IMAGE, (6, 4, 3, 3), 1, True),
    "by row of the kernel": ("Conv(x, w)", IMAGE, (6, 4, 3, 3), 2, True),
    "of one output": ("Conv(x, w)", IMAGE, (1, 4, 3, 3), 0, False),
    "along a line": ("Conv(x, w)", ROW, (6, 4, 3), 0, False),
    "in space": ("Conv(x, w)", CUBE, (6, 4, 3, 3, 3), 0, False),
    "transposed": ("ConvTranspose(x, w)", IMAGE, (4, 6, 3, 3), 1, True),
    "transposed, by input": ("ConvTranspose(x, w)", IMAGE, (4, 6, 3, 3), 0, False),
    "matrix by column": ("MatMul(x, w)", MATRIX, (10, 6), 1, False),
    "matrix by row": ("MatMul(x, w)", MATRIX, (10, 6), 0, True),
    "stack of matrices": ("MatMul(x, w)", MATRIX, (2, 10, 6), 2, False),
    "stack, by matrix": ("MatMul(x, w)", MATRIX, (2, 10, 6), 0, True),
    "Gemm": ("Gemm<transB=1>(x, w)", MATRIX, (6, 10), 0, False),
    "table": ("Gather(w, i)", None, (9, 7), 0, True),
    "operand of an image": ("Mul(c, w)", IMAGE, (4, 1, 1), 0, False),
}


def stored(place: str, dtype: str, *, per_channel: bool, lowest: bool = False) -> tuple[ir.Model, dict[str, Any]]:
    use, x, shape, axis, _ = PLACES[place]
    limits, count = np.iinfo(dtype), shape[axis]
    generator = np.random.default_rng(1)
    integers = generator.integers(limits.min + (not lowest), limits.max, shape, endpoint=True).astype(dtype)
    integers.flat[:2] = limits.max, limits.min + (not lowest)
    centre = (limits.min + limits.max + 1) // 2
    scale = generator.uniform(0.5, 1, count).astype(np.float32) / np.float32(limits.max)
    zero = np.full(count, centre, dtype)
    if lowest:
        zero = generator.integers(limits.min, limits.max, count, endpoint=True).astype(dtype)
    if not per_channel:
        scale, zero = scale[0], zero[0]
    feeds = {"x": x} if x is not None else {"i": np.array([[0, 3], [8, 1]])}
    inputs = f"float[{','.join(map(str, x.shape))}] x" if x is not None else "int64[2,2] i"
    convolved = "c = Conv(x, e) " if use.startswith("Mul") else ""
    constants = {"w_quantized": integers, "s": scale, "z": zero}
    if convolved:
        constants["e"] = np.eye(4, dtype=np.float32).reshape(4, 4, 1, 1)
    declared = "".join(f", {KINDS[a.dtype.name]}[{','.join(map(str, a.shape))}] {n}" for n, a in constants.items())
    body = f"w = DequantizeLinear<axis={axis}>(w_quantized, s, z) {convolved}y = {use}"
    text = f'<ir_version: 10, opset_import: ["" : 21]> g ({inputs}{declared}) => (float[] y) {{ {body} }}'
    return parse(text, **constants), feeds


@pytest.mark.parametrize("mode", ["exact", "fake-quant", "float"])
@pytest.mark.parametrize("per_channel", [True, False], ids=["per channel", "per tensor"])
@pytest.mark.parametrize("place", PLACES)
def test_weights_are_the_numbers_that_onnxruntime_sees(agree: Agree, place: str, per_channel: bool, mode: str) -> None:
    *_, shape, axis, moves = PLACES[place]
    for dtype, lowest in (("int8", False), ("int8", True), ("uint8", True)):
        model, feeds = stored(place, dtype, per_channel=per_channel, lowest=lowest)
        ops = agree(model, feeds, mode=mode)
        fake = [op for op in ops if op.startswith("FakeQuant")]
        ends = "PerChannel" if per_channel and shape[axis] > 1 else ""
        assert fake == ([f"FakeQuantWithMinMaxVars{ends}"] if mode == "fake-quant" else [])
        plain = agree(model, feeds, mode="float").count("Transpose")
        assert ops.count("Transpose") - plain == (moves and per_channel and mode == "fake-quant")


@pytest.mark.parametrize("place", ["convolution", "depthwise of multiplier 2", "Gemm", "table"])
def test_exact_files_hold_a_byte_for_each_weight(agree: Agree, tmp_path: Any, place: str) -> None:
    from frozen_graphs import FrozenGraph

    model, feeds = stored(place, "int8", per_channel=True)
    agree(model, feeds, mode="exact")
    nodes = FrozenGraph(tmp_path / "model.pb").graph.as_graph_def().node
    (weight,) = (node for node in nodes if node.name == "w_quantized")
    assert len(weight.attr["value"].tensor.tensor_content) == np.prod(PLACES[place][2])


@pytest.mark.parametrize("mode", ["exact", "fake-quant", "float"])
def test_operators_that_share_a_weight_share_its_tensor(agree: Agree, mode: str) -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
        g (float[2,4,8,8] x, int8[4,4,3,3] k, float[4] s) => (float[] y) {
        w = DequantizeLinear<axis=0>(k, s) a = Conv(x, w) y = Conv(a, w) }"""
    kernel = np.random.default_rng(0).integers(-127, 127, (4, 4, 3, 3)).astype(np.int8)
    model = parse(text, k=kernel, s=np.full(4, 0.01, np.float32))
    ops = agree(model, {"x": IMAGE}, mode=mode)
    assert ops.count("FakeQuantWithMinMaxVarsPerChannel") == (mode == "fake-quant")
    assert ops.count("Cast") == (mode == "exact")


def test_plain_weights_are_shared_too(agree: Agree) -> None:
    model = parse(
        "g (float[2,4,8,8] x, float[4,4,3,3] w) => (float[] y) { a = Conv(x, w) y = Conv(a, w) }",
        w=np.random.default_rng(0).normal(size=(4, 4, 3, 3)).astype(np.float32),
    )
    kernel_and_two_orders_of_axes = 3
    assert agree(model, {"x": IMAGE}).count("Const") == kernel_and_two_orders_of_axes
