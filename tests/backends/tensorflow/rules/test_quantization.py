"""Pairs, stored integers, and each half alone, in every mode, against onnxruntime with optimisation off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onnxpress.errors import UnsupportedModel
from onnxpress.runtime import Session
from onnxpress.testing import model as parse

Agree = Callable[..., list[str]]
Run = Callable[..., dict[str, Any]]

KINDS = {
    "float32": "float",
    "float16": "float16",
    "bfloat16": "bfloat16",
    "int8": "int8",
    "uint8": "uint8",
    "int16": "int16",
    "uint16": "uint16",
    "int32": "int32",
    "int64": "int64",
}
TYPES = ["int8", "uint8", "int16", "uint16"]
X = np.random.default_rng(0).normal(size=(2, 4, 6, 6)).astype(np.float32)
FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def graph(body: str, x: str = "float[2,4,6,6] x", y: str = "float[] y", opset: int = 21, **constants: Any) -> ir.Model:
    declared = "".join(
        f", {KINDS[array.dtype.name]}[{','.join(map(str, array.shape))}] {name}" for name, array in constants.items()
    )
    header = f'<ir_version: 10, opset_import: ["" : {opset}, "com.microsoft" : 1]>'
    return parse(f"{header} g ({x}{declared}) => ({y}) {{ {body} }}", **constants)


def pair(scale: Any, zero: Any, *, axis: int = 1, before: str = "h = Identity(x)", **constants: Any) -> ir.Model:
    body = f"""{before} q = QuantizeLinear<axis={axis}>(h, s, z) y = DequantizeLinear<axis={axis}>(q, s, z)"""
    return graph(body, s=np.asarray(scale, np.float32), z=zero, **constants)


def grids(dtype: str, channels: int | None) -> st.SearchStrategy[tuple[Any, Any]]:
    """Scales, powers of two among them so that there are ties, and zero points."""
    limits = np.iinfo(dtype)
    scale = st.one_of(st.floats(-9, 3).map(np.exp2), st.integers(-9, 3).map(lambda power: 2.0**power))
    zero = st.one_of(st.sampled_from([limits.min, 0, limits.max]), st.integers(limits.min, limits.max))
    if channels is None:
        return st.tuples(scale.map(np.float32), zero.map(lambda number: np.array(number, dtype)))
    return st.tuples(
        st.lists(scale, min_size=channels, max_size=channels).map(lambda numbers: np.array(numbers, np.float32)),
        st.lists(zero, min_size=channels, max_size=channels).map(lambda numbers: np.array(numbers, dtype)),
    )


def numbers(scale: Any, zero: Any, *, seed: int = 0) -> np.ndarray[Any, Any]:
    """float32[2,4,6,6] around the ends of the grid and in it, half of them ties or points of the grid."""
    generator = np.random.default_rng(seed)
    limits = np.iinfo(zero.dtype)
    shape = (-1, 1, 1) if zero.ndim else ()
    steps = generator.uniform(limits.min - 9, limits.max + 9, X.shape) - zero.astype(np.float64).reshape(shape)
    near = generator.integers(-40, 40, X.shape).astype(np.float64)
    steps = np.where(generator.random(X.shape) < 0.3, near, steps)
    steps = np.where(generator.random(X.shape) < 0.5, np.round(2 * steps) / 2, steps)
    return (steps * scale.astype(np.float64).reshape(shape)).astype(np.float32)


# A pair


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("channels", [None, 4])
def test_exact_is_equal_to_the_last_bit(agree: Agree, dtype: str, channels: int | None) -> None:
    @FEW
    @given(grids(dtype, channels))
    def check(grid: tuple[Any, Any]) -> None:
        agree(pair(*grid), {"x": numbers(*grid)}, rtol=0, atol=0, mode="exact")

    check()


def test_exact_is_division_rounding_clipping_and_a_product(agree: Agree) -> None:
    ops = agree(pair(0.1, np.uint8(7)), {"x": X}, rtol=0, atol=0, mode="exact")
    assert [op for op in ops if op not in ("Const", "Placeholder")] == ["DivNoNan", "Round", "ClipByValue", "Mul"]


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("channels", [None, 4])
def test_fake_quantisation_is_one_step_off_at_ties_alone(run_tensorflow: Run, dtype: str, channels: int | None) -> None:
    """TensorFlow rounds ties up: what is nearer to one than float32 tells apart may come out a step higher or lower."""

    @FEW
    @given(grids(dtype, channels))
    def check(grid: tuple[Any, Any]) -> None:
        scale, zero = grid
        model, feeds = pair(scale, zero), {"x": numbers(scale, zero)}
        (actual,) = run_tensorflow(model, feeds).values()
        (expected,) = Session(model).run(feeds).values()
        step = scale.astype(np.float64).reshape((-1, 1, 1) if channels else ())
        steps = np.abs(actual.astype(np.float64) - expected) / step
        assert steps.max() < 1.001
        from_tie = np.abs(np.abs(feeds["x"] / step) % 1 - 0.5)
        assert not ((steps > 0.001) & (from_tie > 1e-4)).any()

    check()


@pytest.mark.parametrize("channels", [None, 4])
def test_fake_quantisation_differs_at_most_at_one_element_in_ten_thousand(
    run_tensorflow: Run, channels: int | None
) -> None:
    """Of numbers as networks have them, which are no ties."""
    scale = np.float32(0.037) if channels is None else np.array([0.037, 0.011, 0.2, 0.003], np.float32)
    zero = np.full(scale.shape, 117, np.uint8)
    x = np.random.default_rng(3).normal(size=(8, 4, 128, 128)).astype(np.float32)
    model = graph(
        "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)", x="float[8,4,128,128] x", s=scale, z=zero
    )
    (actual,) = run_tensorflow(model, {"x": x}).values()
    (expected,) = Session(model).run({"x": x}).values()
    step = scale.reshape((-1, 1, 1) if channels else ())
    steps = np.abs(actual - expected) / step
    assert steps.max() < 1.001
    assert np.mean(steps > 0.001) <= 1e-4


@pytest.mark.parametrize("dtype", ["int16", "uint16"])
def test_fake_quantisation_to_16_bits_is_a_step_off_at_one_element_in_a_thousand(
    run_tensorflow: Run, dtype: str
) -> None:
    """FakeQuant counts the steps from the least number, in float32, which resolves 1/256 of a step up there."""
    limits = np.iinfo(dtype)
    model = graph(
        "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)",
        x="float[8,4,128,128] x",
        s=np.float32(0.00013),
        z=np.array((limits.min + limits.max) // 2, dtype),
    )
    x = np.random.default_rng(3).normal(size=(8, 4, 128, 128)).astype(np.float32)
    (actual,) = run_tensorflow(model, {"x": x}).values()
    (expected,) = Session(model).run({"x": x}).values()
    steps = np.abs(actual - expected) / np.float32(0.00013)
    assert steps.max() < 1.01
    assert np.mean(steps > 0.1) <= 1e-3


@pytest.mark.parametrize("mode", ["float", "quantize-weights"])
def test_float_modes_leave_nothing(run_tensorflow: Run, agree: Agree, mode: str) -> None:
    model = pair(0.1, np.uint8(7))
    np.testing.assert_array_equal(run_tensorflow(model, {"x": X}, mode=mode)["y"], X)
    ops = agree(graph("y = Relu(x)"), {"x": X}, mode=mode)
    assert Counter(ops) == {"Placeholder": 1, "Relu": 1}


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
@pytest.mark.parametrize("mode", ["exact", "fake-quant"])
@pytest.mark.parametrize("before", ["h = Relu(x)", "h = Conv<kernel_shape=[1,1]>(x, w)"])
def test_channels_on_every_axis_in_both_layouts(agree: Agree, axis: int, mode: str, before: str) -> None:
    count = X.shape[axis]
    scale = np.linspace(0.01, 0.03, count)
    zero = np.arange(100, 100 + count).astype(np.uint8)
    weight = {"w": np.eye(4, dtype=np.float32).reshape(4, 4, 1, 1)} if "Conv" in before else {}
    model = pair(scale, zero, axis=axis, before=before, **weight)
    ops = agree(model, {"x": X}, rtol=0, atol=1e-6, mode=mode)
    if mode == "exact":
        assert ops.count("Transpose") == (2 if weight else 0)
    else:
        assert ops.count("FakeQuantWithMinMaxVarsPerChannel") == 1


def test_channels_of_a_convolution_are_last_already(agree: Agree) -> None:
    weight = np.random.default_rng(1).normal(size=(4, 4, 1, 1)).astype(np.float32)
    body = """h = Conv(x, w) q = QuantizeLinear(h, s, z) d = DequantizeLinear(q, s, z) y = Conv(d, w)"""
    scale, zero = np.array([0.11, 0.13, 0.12, 0.14], np.float32), np.array([100, 110, 120, 130], np.uint8)
    assert agree(graph(body, w=weight, s=scale, z=zero), {"x": X}).count("Transpose") == 2


def test_axes_that_fake_quantisation_cannot_take_are_computed(agree: Agree) -> None:
    body = "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)"
    scale, zero = np.array([0.11, 0.13, 0.12, 0.14], np.float32), np.array([0, 110, 120, 255], np.uint8)
    model = graph(body, x="float[2,4,18] x", s=scale, z=zero)
    ops = agree(model, {"x": X[..., :3].reshape(2, 4, 18)}, rtol=0, atol=0)
    assert [op for op in ops if op not in ("Const", "Placeholder")] == [
        "DivNoNan", "Round", "AddV2", "ClipByValue", "Sub", "Mul"
    ]  # fmt: skip


def test_a_flattened_image_is_quantised_as_it_lies(agree: Agree) -> None:
    weight = np.random.default_rng(1).normal(size=(4, 4, 1, 1)).astype(np.float32)
    body = """h = Conv(x, w) f = Flatten(h) q = QuantizeLinear(f, s, z) d = DequantizeLinear(q, s, z)
              y = MatMul(d, m)"""
    matrix = np.random.default_rng(2).normal(size=(144, 3)).astype(np.float32)
    model = graph(body, w=weight, s=np.float32(0.05), z=np.uint8(128), m=matrix)
    assert agree(model, {"x": X}, mode="exact").count("Transpose") == 1


def test_a_pair_of_two_grids_is_computed(agree: Agree) -> None:
    body = "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, t, z)"
    model = graph(body, s=np.float32(0.1), t=np.float32(0.2), z=np.uint8(128))
    assert "FakeQuantWithMinMaxVars" not in agree(model, {"x": X}, rtol=0, atol=0)


def test_a_range_beyond_float32_is_computed(agree: Agree) -> None:
    model = pair(1e37, np.uint8(0))
    assert "FakeQuantWithMinMaxVars" not in agree(model, {"x": X}, rtol=0, atol=0)


@pytest.mark.parametrize("mode", ["exact", "fake-quant", "float"])
def test_integers_that_are_needed_are_integers(agree: Agree, mode: str) -> None:
    body = """q = QuantizeLinear(x, s, z) t = Transpose<perm=[0,2,3,1]>(q) c = Concat<axis=1>(t, t)
              r = Reshape(c, shape) y = DequantizeLinear(r, s, z)"""
    model = graph(body, s=np.float32(0.01), z=np.uint8(128), shape=np.array([2, 12, 24]))
    agree(model, {"x": X}, rtol=0, atol=0, mode=mode)


def test_maxima_of_integers(agree: Agree) -> None:
    body = """q = QuantizeLinear(x, s, z) m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(q)
              y = DequantizeLinear(m, s, z)"""
    agree(graph(body, s=np.float32(0.01), z=np.uint8(128)), {"x": X}, rtol=0, atol=0)


# Either half alone


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("channels", [None, 4])
def test_quantize_linear_alone(agree: Agree, dtype: str, channels: int | None) -> None:
    @FEW
    @given(grids(dtype, channels))
    def check(grid: tuple[Any, Any]) -> None:
        model = graph("y = QuantizeLinear(x, s, z)", y=f"{dtype}[] y", s=grid[0], z=grid[1])
        agree(model, {"x": numbers(*grid)})

    check()


@pytest.mark.parametrize("dtype", [*TYPES, "int32"])
@pytest.mark.parametrize("channels", [None, 4])
def test_dequantize_linear_alone(agree: Agree, dtype: str, channels: int | None) -> None:
    limits = np.iinfo(dtype)
    integers = np.random.default_rng(0).integers(limits.min, limits.max, X.shape, endpoint=True).astype(dtype)

    @FEW
    @given(grids(dtype, channels))
    def check(grid: tuple[Any, Any]) -> None:
        zero = grid[1] if dtype != "int32" else np.zeros_like(grid[1])
        model = graph("y = DequantizeLinear(x, s, z)", x=f"{dtype}[2,4,6,6] x", s=grid[0], z=zero)
        agree(model, {"x": integers}, rtol=0, atol=0)

    check()


@pytest.mark.parametrize("opset", [11, 13, 19, 21, 23, 25])
def test_computed_scales_of_every_opset(agree: Agree, opset: int) -> None:
    body = "q = QuantizeLinear(x, t, z) y = DequantizeLinear(q, t, z)"
    model = graph(body, x="float[2,4,6,6] x, float t, uint8 z", opset=opset)
    agree(model, {"x": X, "t": np.array(0.02, np.float32), "z": np.array(99, np.uint8)}, rtol=0, atol=0)


def test_without_a_zero_point(agree: Agree) -> None:
    body = "q = QuantizeLinear(x, s) y = DequantizeLinear(q, s)"
    agree(graph(body, y="float[] y, uint8[] q", s=np.float32(0.02)), {"x": X}, mode="exact", rtol=0, atol=0)


def test_output_dtype(agree: Agree) -> None:
    body = "q = QuantizeLinear<output_dtype=5>(x, s) y = DequantizeLinear(q, s)"
    agree(graph(body, y="float[] y, int16[] q", s=np.float32(0.002)), {"x": X}, mode="exact", rtol=0, atol=0)


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
@pytest.mark.parametrize("before", ["h = Relu(x)", "h = Conv<kernel_shape=[1,1]>(x, w)"])
def test_blocks(agree: Agree, axis: int, before: str) -> None:
    block = 2 if axis == 1 else 4
    shape = [*X.shape[:axis], -(-X.shape[axis] // block), *X.shape[axis + 1 :]]
    generator = np.random.default_rng(1)
    scale = generator.uniform(0.01, 0.1, shape).astype(np.float32)
    zero = generator.integers(0, 255, shape).astype(np.uint8)
    weight = {"w": np.eye(4, dtype=np.float32).reshape(4, 4, 1, 1)} if "Conv" in before else {}
    options = f"<axis={axis}, block_size={block}>"
    body = f"{before} q = QuantizeLinear{options}(h, s, z) y = DequantizeLinear{options}(q, s, z)"
    agree(graph(body, s=scale, z=zero, **weight), {"x": X}, rtol=0, atol=0)
    stored = graph(
        f"d = DequantizeLinear{options}(c, s, z) y = Add(x, d)", c=np.full(X.shape, 5, "u1"), s=scale, z=zero
    )
    agree(stored, {"x": X}, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_short_scales(run_tensorflow: Run, kind: str) -> None:
    """onnxruntime has no kernel for bfloat16: compared with float32 arithmetic on the same numbers, cut at the end."""
    import ml_dtypes

    dtype = np.dtype(ml_dtypes.bfloat16 if kind == "bfloat16" else np.float16)
    scale, x = np.array(0.0523, dtype), X.astype(dtype)
    body = "q = QuantizeLinear(x, t, z) y = DequantizeLinear(q, t, z)"
    model = graph(body, x=f"{kind}[2,4,6,6] x, {kind} t", y=f"uint8[] q, {kind}[] y", z=np.uint8(128))
    result = run_tensorflow(model, {"x": x, "t": scale})
    steps = np.rint(x.astype(np.float32) / scale.astype(np.float32))
    expected = np.clip(steps, -128, 127)
    np.testing.assert_array_equal(result["q"], (expected + 128).astype(np.uint8))
    np.testing.assert_array_equal(result["y"], (expected * scale.astype(np.float32)).astype(dtype))


def test_half_as_onnxruntime_has_it(agree: Agree) -> None:
    body = "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)"
    model = graph(body, x="float16[2,4,6,6] x", y="uint8[] q, float16[] y", s=np.float16(0.0523), z=np.uint8(128))
    agree(model, {"x": X.astype(np.float16)}, rtol=0, atol=0)


def test_names_of_microsoft(agree: Agree) -> None:
    body = "q = com.microsoft.QuantizeLinear(x, s, z) y = com.microsoft.DequantizeLinear(q, s, z)"
    agree(graph(body, opset=17, s=np.float32(0.001), z=np.uint16(30000)), {"x": X}, mode="exact", rtol=0, atol=0)


def test_four_bits_are_refused(run_tensorflow: Run) -> None:
    model = graph("q = QuantizeLinear<output_dtype=22>(x, s) y = DequantizeLinear(q, s)", s=np.float32(0.1))
    with pytest.raises(UnsupportedModel, match="is of type INT4, which TensorFlow has no operators for"):
        run_tensorflow(model, {"x": X})


def test_a_branch_sees_what_is_quantised_outside(agree: Agree) -> None:
    body = """q = QuantizeLinear(x, s, z)
              y = If(c) <then_branch = t () => (float[] a) { a = DequantizeLinear(q, s, z) },
                         else_branch = e () => (float[] b) { d = DequantizeLinear(w, s, z) b = Mul(x, d) }>"""
    model = graph(body, x="float[2,4,6,6] x, bool c", s=np.float32(0.01), z=np.uint8(128), w=np.full((6, 6), 9, "u1"))
    for mode in ("exact", "fake-quant", "float"):
        for taken in (True, False):
            agree(model, {"x": X, "c": np.array(taken)}, mode=mode)
