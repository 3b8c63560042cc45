"""What frameworks call their layers."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxpress.ascend.layer_types import LAYER_TYPES, LAYERS, is_of_type, operators

NODES = {
    "line": ir.node("Conv", [ir.val("x"), ir.val("w", shape=[4, 4, 3])]),
    "plane": ir.node("Conv", [ir.val("x"), ir.val("w", shape=[4, 4, 3, 3])]),
    "depthwise": ir.node("Conv", [ir.val("x"), ir.val("w", shape=[4, 1, 3, 3])], {"group": 4}),
    "grouped": ir.node("Conv", [ir.val("x"), ir.val("w", shape=[4, 2, 3, 3])], {"group": 2}),
    "volume": ir.node("Conv", [ir.val("x"), ir.val("w", shape=[4, 4, 3, 3, 3])]),
    "back": ir.node("ConvTranspose", [ir.val("x"), ir.val("w", shape=[4, 4, 3, 3])]),
    "gemm": ir.node("Gemm", [ir.val("x"), ir.val("w", shape=[4, 4])]),
    "matmul": ir.node("MatMul", [ir.val("x"), ir.val("w", shape=[4, 4])]),
    "pool": ir.node("AveragePool", [ir.val("x")]),
    "relu": ir.node("Relu", [ir.val("x")]),
}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Conv", ["line", "plane", "depthwise", "grouped", "volume"]),
        ("Conv1d", ["line"]),
        ("Conv2d", ["plane", "depthwise", "grouped"]),
        ("Conv2D", ["plane", "grouped"]),
        ("DepthwiseConv2dNative", ["depthwise"]),
        ("Conv3d", ["volume"]),
        ("Conv3D", ["volume"]),
        ("ConvTranspose2d", ["back"]),
        ("ConvTranspose1d", []),
        ("Conv2DBackpropInput", ["back"]),
        ("Linear", ["gemm", "matmul"]),
        ("MatMul", ["matmul"]),
        ("BatchMatMul", ["matmul"]),
        ("BatchMatMulV2", ["matmul"]),
        ("AvgPool2d", ["pool"]),
        ("AvgPool", ["pool"]),
        ("Relu", ["relu"]),
    ],
)
def test_a_word_is_for_its_nodes(kind: str, expected: list[str]) -> None:
    assert [name for name, node in NODES.items() if is_of_type(node, kind)] == expected


def test_every_word_is_for_a_layer() -> None:
    assert {operator for kind in LAYER_TYPES for operator in operators(kind)} <= set(LAYERS)
    assert operators("Conv") == ("Conv",)
