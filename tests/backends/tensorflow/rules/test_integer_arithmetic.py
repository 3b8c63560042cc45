"""Integer products are exact; what is scaled and rounded is onnxruntime's to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onnxpress.testing import model as parse

Agree = Callable[..., list[str]]

KINDS = {"float32": "float", "int8": "int8", "uint8": "uint8", "int32": "int32"}
FEW = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def graph(body: str, x: str, y: str, **constants: Any) -> ir.Model:
    declared = "".join(f", {KINDS[a.dtype.name]}[{','.join(map(str, a.shape))}] {n}" for n, a in constants.items())
    text = f'<ir_version: 10, opset_import: ["" : 17]> g ({x}{declared}) => ({y}) {{ {body} }}'
    return parse(text, **constants)


def integers(dtype: str, *shape: int, seed: int = 0) -> Any:
    limits = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)


def zeros_of(dtype: str) -> st.SearchStrategy[Any]:
    limits = np.iinfo(dtype)
    return st.integers(limits.min, limits.max).map(lambda number: np.array(number, dtype))


SCALES = st.floats(-8, 0).map(lambda power: np.float32(2.0**power))


@pytest.mark.parametrize("options", ["", "<pads=[1,1,1,1], strides=[2,2]>", "<group=2>", "<dilations=[2,2]>"])
@pytest.mark.parametrize("stored", [True, False], ids=["stored", "computed"])
def test_conv_integer(agree: Agree, options: str, stored: bool) -> None:
    kernel = integers("int8", 6, 2 if "group" in options else 4, 3, 3, seed=1)
    shape = ",".join(map(str, kernel.shape))
    body, x = f"y = ConvInteger{options}(x, w, a, b)", "uint8[2,4,9,9] x"
    feeds, zeros = {"x": integers("uint8", 2, 4, 9, 9)}, {"a": np.uint8(131), "b": np.int8(-7)}
    if stored:
        agree(graph(body, x, "int32[] y", w=kernel, **zeros), feeds)
    else:
        agree(graph(body, f"{x}, int8[{shape}] w", "int32[] y", **zeros), feeds | {"w": kernel})


def test_sums_beyond_float32_are_exact(agree: Agree) -> None:
    kernel = np.full((1, 512, 3, 3), 255, np.uint8)
    kernel[0, 0, 0, 0] = 254
    feeds = {"x": np.full((1, 512, 3, 3), 255, np.uint8)}
    body = "y = ConvInteger(x, w)"
    assert "Conv2D" in agree(graph(body, "uint8[1,512,3,3] x", "int32[] y", w=kernel), feeds)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("stored", [True, False], ids=["stored", "computed"])
def test_mat_mul_integer_with_a_zero_point_by_column(agree: Agree, rank: int, stored: bool) -> None:
    right = integers("int8", 7, 5, seed=1)
    zero = np.int8(3) if rank == 1 else integers("int8", 5, seed=2)
    left = integers("uint8", *(2, 3, 7)[3 - rank :])
    x = f"uint8[{','.join(map(str, left.shape))}] x"
    body = "y = MatMulInteger(x, w, a, b)"
    if stored:
        agree(graph(body, x, "int32[] y", w=right, a=np.uint8(9), b=zero), {"x": left})
    else:
        model = graph(body, f"{x}, int8[7,5] w", "int32[] y", a=np.uint8(9), b=zero)
        agree(model, {"x": left, "w": right})


@pytest.mark.parametrize("channels", [None, 6])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_q_linear_conv(agree: Agree, channels: int | None, bias: bool, dtype: str) -> None:
    kernel, addend = integers("int8", 6, 4, 3, 3, seed=1), integers("int32", 6, seed=2) // 2**16
    body = f"y = QLinearConv<pads=[1,1,1,1]>(x, xs, xz, w, ws, wz, ys, yz{', b' if bias else ''})"

    @FEW
    @given(SCALES, SCALES, SCALES, zeros_of(dtype), zeros_of(dtype))
    def check(xs: Any, ws: Any, ys: Any, xz: Any, yz: Any) -> None:
        spread = np.linspace(0.5, 1, channels, dtype=np.float32) * ws if channels else ws
        zero = np.zeros(channels or (), np.int8)
        constants = {"xs": xs, "xz": xz, "w": kernel, "ws": spread, "wz": zero, "ys": ys * np.float32(500), "yz": yz}
        if bias:
            constants["b"] = addend
        model = graph(body, f"{dtype}[2,4,9,9] x", f"{dtype}[] y", **constants)
        agree(model, {"x": integers(dtype, 2, 4, 9, 9)})

    check()


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_q_linear_mat_mul(agree: Agree, dtype: str) -> None:
    right = integers(dtype, 7, 5, seed=1)

    @FEW
    @given(SCALES, SCALES, SCALES, zeros_of(dtype), zeros_of(dtype), zeros_of(dtype))
    def check(xs: Any, ws: Any, ys: Any, xz: Any, wz: Any, yz: Any) -> None:
        constants = {"xs": xs, "xz": xz, "w": right, "ws": ws, "wz": wz, "ys": ys * np.float32(50), "yz": yz}
        model = graph("y = QLinearMatMul(x, xs, xz, w, ws, wz, ys, yz)", f"{dtype}[9,7] x", f"{dtype}[] y", **constants)
        agree(model, {"x": integers(dtype, 9, 7)})

    check()


@FEW
@given(st.lists(st.floats(-1000, 1000, width=32), min_size=4, max_size=4))
def test_dynamic_quantize_linear(agree: Agree, ends: list[float]) -> None:
    model = graph("y, s, z = DynamicQuantizeLinear(x)", "float[2,4] x", "uint8[2,4] y, float s, uint8 z")
    agree(model, {"x": np.array([[*ends], [0.1, 0.2, -0.05, 0.0]], np.float32)}, rtol=0, atol=0)


@pytest.mark.parametrize("x", [np.zeros((2, 4)), np.full((2, 4), 3.0), np.full((2, 4), -2.0)])
def test_ranges_of_one_number(agree: Agree, x: Any) -> None:
    model = graph("y, s, z = DynamicQuantizeLinear(x)", "float[2,4] x", "uint8[2,4] y, float s, uint8 z")
    agree(model, {"x": x.astype(np.float32)}, rtol=0, atol=0)


def test_a_network_of_dynamic_quantisation(agree: Agree) -> None:
    body = """q, s, z = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, z, b) f = Cast<to=1>(i)
              t = Mul(s, ws) y = Mul(f, t)"""
    weight, zero = integers("int8", 16, 8), np.int8(0)
    model = graph(body, "float[4,16] x", "float[] y", w=weight, b=zero, ws=np.float32(0.01))
    agree(model, {"x": np.random.default_rng(0).normal(size=(4, 16)).astype(np.float32)})
