"""fold-batch-norm: changes it, leaves it alone, declines with the reason, inside a subgraph, equivalence."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress import model_files
from onnxpress.errors import InvalidModel, InvalidOption
from onnxpress.ranges import META_KEY, Range
from onnxpress.records import Notes
from onnxpress.testing import apply, assert_equivalent, model
from onnxpress_plugins.folding.bn_folding import FOLD_BATCH_NORM

STATISTICS = {"g": (4,), "b": (4,), "mu": (4,), "var": (4,)}
WEIGHT = {"w": (4, 3, 3, 3)}


def numbers(*shape: int, seed: int = 7) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def graph(body: str, *, x: str = "float[N,3,6,6] x", y: str = "y", **shapes: tuple[int, ...]) -> ir.Model:
    """A model with input `x` and normal random initialisers of these shapes; those called var... are positive."""
    drawn = {name: numbers(*shape, seed=seed) for seed, (name, shape) in enumerate(shapes.items())}
    drawn = {
        name: np.abs(array) + np.float32(0.1) if name.startswith("var") else array for name, array in drawn.items()
    }
    constants = "".join(f", float[{','.join(map(str, shape))}] {name}" for name, shape in shapes.items())
    made = model(f"g ({x}{constants}) => ({y}) {{ {body} }}", **drawn)
    for node in made.graph:
        node.name = node.outputs[0].name
    return made


def fold(before: ir.Model) -> tuple[ir.Model, Notes]:
    """Fold, and check that the outputs are what they were and that folding again finds nothing."""
    after, notes = apply(FOLD_BATCH_NORM, before)
    feeds = {}
    for port in before.graph.inputs:
        assert port.shape is not None
        feeds[port.name or ""] = numbers(*(dim if isinstance(dim, int) else 2 for dim in port.shape), seed=1)
    assert_equivalent(before, after, feeds, rtol=1e-5, atol=1e-5)  # one rounding to float32, values of order 1 to 10
    assert ops(apply(FOLD_BATCH_NORM, after)[0]) == ops(after)
    return after, notes


def ops(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph.all_nodes()]


def reason(notes: Notes) -> str:
    (declined,) = notes.declined
    return declined.reason


def test_batch_norm_behind_a_convolution_is_folded() -> None:
    before = graph("c = Conv(x, w) y = BatchNormalization<epsilon=0.01>(c, g, b, mu, var)", **WEIGHT, **STATISTICS)
    after, notes = fold(before)
    assert ops(after) == ["Conv"]
    assert notes.counts == {"BatchNormalization folded into Conv": 1}
    assert list(after.graph.initializers) == ["w", "c_bias"]
    assert [output.name for output in after.graph.outputs] == ["y"]


def test_the_algebra_of_the_docstring() -> None:
    before = graph("c = Conv(x, w, c0) y = BatchNormalization(c, g, b, mu, var)", **WEIGHT, c0=(4,), **STATISTICS)
    after, _ = apply(FOLD_BATCH_NORM, before)
    old = {name: value.const_value.numpy().astype(np.float64) for name, value in before.graph.initializers.items()}  # type: ignore[union-attr]
    a = old["g"] / np.sqrt(old["var"] + 1e-5)
    weight, bias = (after.graph.initializers[name].const_value.numpy() for name in ("w", "c0"))  # type: ignore[union-attr]
    np.testing.assert_array_equal(weight, (a[:, None, None, None] * old["w"]).astype(np.float32))
    np.testing.assert_allclose(bias, a * (old["c0"] - old["mu"]) + old["b"], rtol=1e-6)


CHAINS = {
    "Keras 3, center and scale": "m = Mul(c, k1) y = Add(m, k2)",
    "Keras 3, scale only": "s = Sub(c, k1) y = Mul(s, k2)",
    "fused=False": "s = Sub(c, k1) r = Mul(s, k2) t = Mul(r, k3) y = Add(t, k4)",
    "division by the deviation": "s = Sub(c, k1) d = Div(s, var) y = Add(k4, d)",
    "constant first": "s = Sub(k1, c) y = Mul(k2, s)",
    "BatchNormalization within": "s = Mul(c, k1) t = BatchNormalization(s, g, b, mu, var) y = Add(t, k4)",
}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("shape", [(4, 1, 1), (1, 4, 1, 1), (), (1,)], ids=str)
def test_decomposed_forms_are_folded(chain: str, shape: tuple[int, ...]) -> None:
    constants = {f"k{number}": shape for number in range(1, 5)}
    statistics = STATISTICS if "BatchNormalization" in chain else {"var": shape}
    after, notes = fold(graph(f"c = Conv(x, w) {chain}", **WEIGHT, **statistics, **constants))
    assert ops(after) == ["Conv"]
    assert notes.declined == []


LAYERS = {
    "Conv": ("Conv<pads=[1,1,1,1]>(x, w)", "float[N,3,6,6] x", (4, 3, 3, 3)),
    "Conv 1-D": ("Conv(x, w)", "float[N,3,6] x", (4, 3, 3)),
    "grouped Conv": ("Conv<group=2>(x, w)", "float[N,6,6,6] x", (4, 3, 3, 3)),
    "depthwise Conv": ("Conv<group=2>(x, w)", "float[N,2,6,6] x", (4, 1, 3, 3)),
    "ConvTranspose": ("ConvTranspose<strides=[2,2]>(x, w)", "float[N,3,6,6] x", (3, 4, 3, 3)),
    "grouped ConvTranspose": ("ConvTranspose<group=2>(x, w)", "float[N,6,6,6] x", (6, 2, 3, 3)),
    "Gemm": ("Gemm<alpha=0.5>(x, w)", "float[N,3] x", (3, 4)),
    "Gemm transB": ("Gemm<transB=1, beta=2.0>(x, w, k)", "float[N,3] x", (4, 3)),
}


@pytest.mark.parametrize(("layer", "x", "shape"), LAYERS.values(), ids=LAYERS)
def test_every_layer_takes_batch_norm_from_behind(layer: str, x: str, shape: tuple[int, ...]) -> None:
    before = graph(f"c = {layer} y = BatchNormalization(c, g, b, mu, var)", x=x, w=shape, k=(4,), **STATISTICS)
    after, _ = fold(before)
    assert ops(after) == layer.partition("(")[0].partition("<")[0].split()


def test_matmul_keeps_its_bias_as_an_add() -> None:
    before = graph(
        "c = MatMul(x, w) d = Add(c, k) e = Mul(d, l) y = Sub(e, k)", x="float[N,5,3] x", w=(3, 4), k=(4,), l=(4,)
    )
    after, notes = fold(before)
    assert ops(after) == ["MatMul", "Add"]
    assert notes.counts == {"Add folded into MatMul": 1, "Mul folded into MatMul": 1, "Sub folded into MatMul": 1}
    assert [output.name for output in after.graph.outputs] == ["y"]


def test_through_a_transpose_and_pooling() -> None:
    body = """c = Conv(x, w) p = AveragePool<kernel_shape=[2,2]>(c) t = Transpose<perm=[0,2,3,1]>(p)
        m = Mul(t, k) y = Add(m, l)"""
    after, _ = fold(graph(body, **WEIGHT, k=(4,), l=(1, 1, 1, 4)))
    assert ops(after) == ["Conv", "AveragePool", "Transpose"]


def test_through_a_maximum_only_without_negative_scale() -> None:
    body = "c = Conv(x, w) p = MaxPool<kernel_shape=[2,2]>(c) y = Mul(p, {})"
    after, _ = fold(graph(body.format("var"), **WEIGHT, var=(4, 1, 1)))
    assert ops(after) == ["Conv", "MaxPool"]
    after, notes = fold(graph(body.format("k"), **WEIGHT, k=(4, 1, 1)))
    assert ops(after) == ["Conv", "MaxPool", "Mul"]
    assert reason(notes).startswith("MaxPool 'p' is no maximum after a negative scale")


def test_grouped_convolution_written_as_split_and_concat() -> None:
    body = """s = BatchNormalization(x, g, b, mu, var) l, r = Split<axis=1>(s, parts)
        c = Conv(l, w) d = Conv(r, w) j = Concat<axis=1>(c, d) y = BatchNormalization(j, g, b, mu, var)"""
    before = model(
        "g (float[N,4,6,6] x, int64[2] parts, float[2,2,3,3] w, float[4] g, float[4] b, float[4] mu, float[4] var)"
        f" => (y) {{ {body} }}",
        **{name: numbers(4, seed=ord(name)) for name in ("g", "b")},
        mu=numbers(4),
        var=np.abs(numbers(4)),
        w=numbers(2, 2, 3, 3),
        parts=np.array([2, 2]),
    )
    after, notes = fold(before)
    assert ops(after) == ["Split", "Conv", "Conv", "Concat"]
    assert notes.counts == {"BatchNormalization folded into Conv": 2}
    left, right = (node.inputs[1] for node in after.graph if node.op_type == "Conv")
    assert left is not right, "the shared weight was copied"


def test_a_shared_weight_is_copied_not_modified() -> None:
    body = "c = Conv(x, w) m = Mul(c, k) d = Conv(x, w) y = Add(m, d)"
    after, _ = fold(graph(body, **WEIGHT, k=(4, 1, 1)))
    assert ops(after) == ["Conv", "Conv", "Add"]
    first, second = (node.inputs[1] for node in after.graph if node.op_type == "Conv")
    assert (first.name, second.name) == ("w_folded", "w")  # type: ignore[union-attr]
    np.testing.assert_array_equal(second.const_value.numpy(), numbers(4, 3, 3, 3, seed=0))  # type: ignore[union-attr]


AHEAD = {
    "unpadded Conv": ("Conv(m, w)", "float[N,4,6,6] x", (5, 4, 3, 3)),
    "Conv with VALID padding": ('Conv<auto_pad="VALID">(m, w, c)', "float[N,4,6,6] x", (5, 4, 3, 3)),
    "1x1 Conv": ('Conv<auto_pad="SAME_UPPER", strides=[2,2]>(m, w)', "float[N,4,6,6] x", (5, 4, 1, 1)),
    "grouped Conv": ("Conv<group=2>(m, w)", "float[N,4,6,6] x", (6, 2, 3, 3)),
    "pixelwise ConvTranspose": ("ConvTranspose(m, w)", "float[N,4,6,6] x", (4, 5, 1, 1)),
    "Gemm": ("Gemm<alpha=0.5, beta=2.0>(m, w, c)", "float[N,4] x", (4, 5)),
}


@pytest.mark.parametrize(("layer", "x", "shape"), AHEAD.values(), ids=AHEAD)
def test_batch_norm_before_a_layer_is_folded_forward(layer: str, x: str, shape: tuple[int, ...]) -> None:
    body = f"r = Relu(x) m = BatchNormalization(r, g, b, mu, var) y = {layer}"
    after, _ = fold(graph(body, x=x, w=shape, c=(5,), **STATISTICS))
    assert ops(after) == ["Relu", layer.partition("(")[0].partition("<")[0]]


def test_forward_into_matmul_leaves_one_bias_for_both_sides() -> None:
    body = "m = Mul(x, g) n = Add(m, b) d = MatMul(n, w) e = Mul(d, k) y = Add(e, k)"
    after, _ = fold(graph(body, x="float[N,5,4] x", w=(4, 5), k=(5,), g=(4,), b=(4,)))
    assert ops(after) == ["MatMul", "Add"]


def test_a_shift_before_a_matmul_alone_gains_nothing() -> None:
    after, notes = fold(graph("n = Add(x, b) y = MatMul(n, w)", x="float[N,5,4] x", w=(4, 5), b=(4,)))
    assert ops(after) == ["Add", "MatMul"]
    assert reason(notes).endswith("a shift before MatMul would only move behind it")


def test_a_matmul_of_matrices_that_gets_a_bias_is_a_gemm() -> None:
    after, notes = fold(graph("d = MatMul(x, w) e = Add(d, k) y = Relu(e)", x="float[N,4] x", w=(4, 5), k=(5,)))
    assert ops(after) == ["Gemm", "Relu"]
    assert notes.counts == {"Add folded into Gemm": 1}


@pytest.mark.parametrize("shape", [(), (3,), (1, 1, 1, 3)], ids=str)
def test_a_rescaled_image_folds_through_transpose_and_padding(shape: tuple[int, ...]) -> None:
    body = "m = Mul(x, k) t = Transpose<perm=[0,3,1,2]>(m) p = Pad(t, pads) y = Conv<pads=[1,1,1,1]>(p, w)"
    factor = f"float[{','.join(map(str, shape))}]" if shape else "float"
    text = f"g (float[N,6,6,3] x, {factor} k, int64[8] pads, float[4,3,3,3] w) => (y) {{ {body} }}"
    pads = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    after, _ = fold(model(text, k=numbers(*shape) / np.float32(255), pads=pads, w=numbers(4, 3, 3, 3)))
    assert ops(after) == ["Transpose", "Pad", "Conv"]


RESHAPED = {
    "NHWC": ("MatMul(x, w)", "r = Reshape(c, image) t = Transpose<perm=[0,3,1,2]>(r)", [[-1, 3, 4, 4]]),
    "NCHW": ("MatMul(x, w)", "t = Reshape(c, image)", [[-1, 4, 3, 4]]),
    "pixels of one": ("Gemm(x, w)", "t = Reshape(c, image)", [[-1, 48, 1, 1]]),
    "in two steps": ("MatMul(x, w)", "r = Reshape(c, line) t = Reshape(r, image)", [[-1, 4, 12], [-1, 4, 3, 4]]),
    "with a bias": ("Gemm(x, w, k)", "r = Reshape(c, image) t = Transpose<perm=[0,3,1,2]>(r)", [[-1, 3, 4, 4]]),
    "with an Add": ("MatMul(x, w)", "d = Add(c, k) t = Reshape(d, image)", [[-1, 4, 3, 4]]),
}


@pytest.mark.parametrize(("layer", "path", "sizes"), RESHAPED.values(), ids=RESHAPED)
def test_through_a_reshape_of_matmul(layer: str, path: str, sizes: list[list[int]]) -> None:
    given = {name: np.array(shape) for name, shape in zip(("image", "line"), reversed(sizes), strict=False)}
    channels = 48 if sizes[-1][-1] == 1 else 4
    constants = {name: numbers(channels, seed=ord(name[0])) for name in ("g", "b", "mu")} | {"k": numbers(48)}
    ports = "".join(f", int64[{len(shape)}] {name}" for name, shape in given.items())
    ports += "".join(f", float[{len(array)}] {name}" for name, array in constants.items())
    before = model(
        f"g (float[N,6] x{ports}, float[6,48] w, float[{channels}] var) => (y) "
        f"{{ c = {layer} {path} y = BatchNormalization(t, g, b, mu, var) }}",
        **{**given, **constants, "w": numbers(6, 48), "var": np.abs(numbers(channels)) + np.float32(0.1)},
    )
    after, _ = fold(before)
    assert ops(after) == ["Gemm", *(op for op in ops(after) if op in ("Reshape", "Transpose"))]
    assert [output.name for output in after.graph.outputs] == ["y"]


def test_through_the_bias_of_a_dense_layer_on_images() -> None:
    """What tf2onnx makes of Keras' Dense behind a convolution, followed by a LayerScale."""
    body = "f = Reshape(x4, rows) c = MatMul(f, v) r = Reshape(c, image) a = Add(r, k) y = Mul(a, l)"
    made = model(
        "g (float[N,5,5,6] x4, int64[2] rows, int64[4] image, float[6,4] v, float[4] k, float[1,4] l) => (y) "
        f"{{ {body} }}",
        **{"rows": np.array([-1, 6]), "image": np.array([-1, 5, 5, 4]), "v": numbers(6, 4), "k": numbers(4)},
        l=numbers(1, 4),
    )
    after, _ = fold(made)
    assert ops(after) == ["Reshape", "Gemm", "Reshape"]


def test_a_bias_behind_the_reshape_of_a_stack_of_matrices_moves_to_the_product() -> None:
    """Keras' projections of attention: one number for each head and feature."""
    body = "c = MatMul(x, w) r = Reshape(c, heads) a = Add(r, k) m = Mul(a, l) y = Transpose<perm=[0,2,1,3]>(m)"
    made = model(
        f"g (float[N,5,6] x, int64[4] heads, float[6,12] w, float[3,4] k, float l) => (y) {{ {body} }}",
        **{"heads": np.array([-1, 5, 3, 4]), "w": numbers(6, 12), "k": numbers(3, 4), "l": numbers()},
    )
    after, _ = fold(made)
    assert ops(after) == ["MatMul", "Add", "Reshape", "Transpose"]


def test_batch_norm_before_a_dense_layer_folds_through_its_flatten() -> None:
    body = "r = Relu(x) n = BatchNormalization(r, g, b, mu, var) f = Flatten(n) y = Gemm(f, w, k)"
    after, notes = fold(graph(body, x="float[N,4,3,2] x", w=(24, 5), k=(5,), **STATISTICS))
    assert ops(after) == ["Relu", "Flatten", "Gemm"]
    assert notes.counts == {"BatchNormalization folded into Gemm": 1}


SPACE = """float half = {0.5}, int64[2] starts = {0, 0}, int64[2] ends = {-1, -1}, int64[2] axes = {2, 3},
    int64[8] pads = {0,0,2,2,0,0,3,3}"""
TO_SPACE = """t = Transpose<perm=[1,0,2,3]>(c) d = DepthToSpace<blocksize=2>(t) s = Slice(d, starts, ends, axes)
    u = Transpose<perm=[1,0,2,3]>(s)"""


def dilated(body: str) -> ir.Model:
    """TensorFlow's dilated convolution: SpaceToBatchND, a convolution, BatchToSpaceND; `body` makes y of x."""
    constants = "float[4,3,3,3] w, float[4] g, float[4] b, float[4] mu, float[4] var"
    head = "p = Pad(i, pads) q = SpaceToDepth<blocksize=2>(p) e = Transpose<perm=[1,0,2,3]>(q)"
    return model(
        f"g (float[3,2,9,9] x, {constants}) => (y) <{SPACE}> {{ {body} }}".replace("HEAD", head),
        **{name: numbers(4, seed=ord(name[0])) for name in ("g", "b", "mu")},
        var=np.abs(numbers(4)) + np.float32(0.1),
        w=numbers(4, 3, 3, 3),
    )


def test_through_the_batch_to_space_of_a_dilated_convolution() -> None:
    body = f"i = Relu(x) HEAD c = Conv(e, w) {TO_SPACE} y = BatchNormalization(u, g, b, mu, var)"
    after, notes = fold(dilated(body))
    carriers = ["Transpose", "DepthToSpace", "Slice", "Transpose"]
    assert ops(after) == ["Relu", "Pad", "SpaceToDepth", "Transpose", "Conv", *carriers]
    assert notes.counts == {"BatchNormalization folded into Conv": 1}


def test_a_factor_before_the_space_to_batch_of_a_dilated_convolution() -> None:
    after, _ = fold(dilated(f"j = Relu(x) i = Mul(j, half) HEAD c = Conv(e, w) {TO_SPACE} y = Relu(u)"))
    assert ops(after)[:3] == ["Relu", "Pad", "SpaceToDepth"]


UNTOUCHED = {
    "attention": "a = Mul(x, x) y = Add(a, x)",
    "a factor with no layer near": "r = Relu(x) m = Mul(r, k) y = Relu(m)",
    "constant over x": "c = Conv(x, w) y = Div(l, c)",
}


@pytest.mark.parametrize("body", UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_is_no_candidate_is_left_alone(body: str) -> None:
    before = graph(body, **WEIGHT, k=(1,), l=(4, 1, 1))
    after, notes = apply(FOLD_BATCH_NORM, before)
    assert model_files.to_proto(after) == model_files.to_proto(before)
    assert (notes.counts, notes.declined) == ({}, [])


BATCH_NORM = "BatchNormalization(c, g, b, mu, var)"
DECLINED = {
    "used elsewhere": (f"c = Conv(x, w) d = {BATCH_NORM} y = Add(c, d)", "'c' is used 2 times"),
    "an output": (f"c = Conv(x, w) y = {BATCH_NORM}", "'c' is also an output of the graph"),
    "no layer": (f"c = Relu(x4) y = {BATCH_NORM}", "its input comes from Relu 'c'; 'y' is also an output of the graph"),
    "per pixel": (
        "c = Conv(x, w) y = Add(c, p)",
        "its constant 'p' of shape [4, 4, 4] is not one number for each of 4 channels",
    ),
    "along the width": ("c = Conv(x, w) y = Add(c, g)", "its constant 'g' of shape [4] is not one number"),
    "other rank": ("c = Conv(x, w) y = Add(c, q)", "its constant 'q' of shape [1, 1, 4, 1, 1] is not one number"),
    "padded": (
        "c = Relu(x4) d = BatchNormalization(c, g, b, mu, var) y = Conv<pads=[1,1,1,1]>(d, v)",
        "its input comes from Relu 'c'; Conv 'y' pads its input with zeros, which a shift before it would miss",
    ),
    "weight not constant": (f"c = Conv(x, xw) y = {BATCH_NORM}", "the weight 'xw' of Conv 'c' is not a float constant"),
    "bias not constant": (
        f"c = Conv(x, w, xb) y = {BATCH_NORM}",
        "the bias 'xb' of Conv 'c' is not one constant number",
    ),
    "division by zero": (
        "c = Conv(x, w) y = Div(c, zero)",
        "its constant 'zero' gives an infinite or undefined factor",
    ),
    "training": (
        "c = Conv(x, w) y, m2, v2 = BatchNormalization<training_mode=1>(c, g, b, mu, var)",
        "it is in training mode",
    ),
    "statistics from outside": (
        "c = Conv(x, w) y = BatchNormalization(c, g, b, mu, xb)",
        "its parameters are not 4 constant numbers each",
    ),
    "parts of a Concat": (
        f"d = Conv(x, u) e = Relu(d) c = Concat<axis=1>(d, e) y = {BATCH_NORM}",
        "'d' is used 2 times",
    ),
    "numbers for each pixel behind a Reshape": (
        "c = Conv(x, w) r = Reshape(c, lines) y = Add(r, p16)",
        "its constant 'p16' of shape [16] is not one number for each of 4 channels",
    ),
    "channels that a Reshape mixes": (
        "c = Conv(x, w) f = Flatten(c) y = Mul(f, p64)",
        "Flatten 'f' does not keep the channels apart",
    ),
    "reshaped and used elsewhere": (
        "c = Conv(x, w) r = Reshape(c, lines) z = Relu(r) m = Mul(r, p41) y = Add(m, z)",
        "'r' is used 2 times",
    ),
    "a Slice of channels": (
        "c = Conv(x, w) s = Slice(c, one, two, one) y = Mul(s, zero)",
        "Slice 's' does not keep the channels apart",
    ),
    "overflow": ("c = Conv(x, w) y = Mul(c, huge)", "Conv 'c' would get NaN or infinity in its float32 weight or bias"),
}


@pytest.mark.parametrize(("body", "why"), DECLINED.values(), ids=DECLINED)
def test_declined_with_the_reason(body: str, why: str) -> None:
    constants = {"p": (4, 4, 4), "q": (1, 1, 4, 1, 1), "v": (5, 4, 3, 3), "u": (2, 3, 3, 3)}
    constants |= {"p16": (16,), "p64": (64,), "p41": (4, 1)}
    written = """lines = Constant<value_ints=[-1, 4, 16]>() one = Constant<value_ints=[1]>()
        two = Constant<value_ints=[2]>()"""
    inputs = "float[N,3,6,6] x, float[N,4,6,6] x4, float[4,3,3,3] xw, float[4] xb"
    outputs = "y, c" if why.endswith("'c' is also an output of the graph") else "y"
    before = graph(f"{written} {body}", x=inputs, y=outputs, **WEIGHT, **STATISTICS, **constants, zero=(1,), huge=(1,))
    for name, number in (("zero", 0.0), ("huge", 3e38)):
        before.graph.initializers[name].const_value = ir.tensor(np.array([number], np.float32), name=name)
    after, notes = apply(FOLD_BATCH_NORM, before)
    assert why in reason(notes)
    assert model_files.to_proto(after) == model_files.to_proto(before)


def test_a_layer_norm_in_small_operators_stays_whole() -> None:
    body = """mean = ReduceMean<axes=[-1]>(x) d = Sub(x, mean) square = Mul(d, d) v = ReduceMean<axes=[-1]>(square)
        e = Add(v, epsilon) s = Sqrt(e) n = Div(d, s)
        scaled = Mul(n, k) shifted = Add(scaled, l) y = MatMul(shifted, w)"""
    before = graph(body, x="float[N,5,3] x", w=(3, 4), k=(3,), l=(3,), epsilon=(1,))
    after, notes = apply(FOLD_BATCH_NORM, before)
    assert ops(after) == ops(before)
    assert reason(notes).endswith("it ends a LayerNormalization, which onnxruntime would no longer recognise")


@pytest.mark.parametrize("name", ["scale", "bias", "mean", "variance"])
def test_nan_parameters_are_refused_by_name(name: str) -> None:
    before = graph("c = Conv(x, w) y = BatchNormalization(c, g, b, mu, var)", **WEIGHT, **STATISTICS)
    culprit = {"scale": "g", "bias": "b", "mean": "mu", "variance": "var"}[name]
    before.graph.initializers[culprit].const_value = ir.tensor(np.array([0, 1, np.nan, 0], np.float32), name=culprit)
    with pytest.raises(InvalidModel, match=f"^{name} '{culprit}' of BatchNormalization 'y' holds NaN or infinity"):
        apply(FOLD_BATCH_NORM, before)


def test_a_negative_variance_is_refused_by_name() -> None:
    before = graph("c = Conv(x, w) y = BatchNormalization(c, g, b, mu, var)", **WEIGHT, **STATISTICS)
    before.graph.initializers["var"].const_value = ir.tensor(np.array([1, 1, -1, 0], np.float32), name="var")
    with pytest.raises(InvalidModel, match="variance 'var' of BatchNormalization 'y' is negative in channel 2"):
        apply(FOLD_BATCH_NORM, before)


def test_an_initialiser_that_the_caller_may_override_is_no_constant() -> None:
    before = graph("c = Conv(x, w) y = BatchNormalization(c, g, b, mu, var)", **WEIGHT, **STATISTICS)
    before.graph.inputs.append(before.graph.initializers["w"])
    after, notes = apply(FOLD_BATCH_NORM, before)
    assert ops(after) == ["Conv", "BatchNormalization"]
    assert reason(notes).startswith("the weight 'w' of Conv 'c' is not a float constant")


def test_inside_a_subgraph() -> None:
    before = model(
        """g (float[N,3,6,6] x, bool flag, float[4,3,3,3] w, float[4,1,1] k) => (y) {
            y = If(flag) <
                then_branch = yes () => (float[N,4,4,4] p) { c = Conv(x, w) p = Mul(c, k) },
                else_branch = no () => (float[N,4,4,4] q) { d = Conv(x, w) q = Add(d, k) }>
        }""",
        w=numbers(4, 3, 3, 3),
        k=numbers(4, 1, 1),
    )
    after, _ = apply(FOLD_BATCH_NORM, before)
    assert ops(after) == ["If", "Conv", "Conv"]
    for flag in (True, False):
        feeds = {"x": numbers(2, 3, 6, 6), "flag": np.array(flag)}
        assert_equivalent(before, after, feeds, rtol=1e-5, atol=1e-5)


def test_through_a_reshape_inside_a_subgraph() -> None:
    branch = "s = Constant<value_ints=[-1,2,2,3]>() c = MatMul(x, w) r = Reshape(c, s)"
    before = model(
        f"""g (float[N,6] x, bool flag, float[6,12] w, float[3] k) => (y) {{
            y = If(flag) <
                then_branch = yes () => (float[N,2,2,3] p) {{ {branch} p = Mul(r, k) }},
                else_branch = no () => (float[N,2,2,3] q) {{ {branch} q = Add(r, k) }}>
        }}""",
        w=numbers(6, 12),
        k=numbers(3),
    )
    after, _ = apply(FOLD_BATCH_NORM, before)
    assert ops(after) == ["If", "Constant", "MatMul", "Reshape", "Constant", "Gemm", "Reshape"]
    for flag in (True, False):
        assert_equivalent(before, after, {"x": numbers(2, 6), "flag": np.array(flag)}, rtol=1e-5, atol=1e-5)


def test_a_layer_of_the_outer_graph_is_not_touched_from_inside() -> None:
    before = model(
        """g (float[N,3,6,6] x, bool flag, float[4,3,3,3] w, float[4,1,1] k) => (y) {
            c = Conv(x, w)
            y = If(flag) <
                then_branch = yes () => (float[N,4,4,4] p) { p = Mul(c, k) },
                else_branch = no () => (float[N,4,4,4] q) { q = Identity(x) }>
        }""".replace("Identity(x)", "Conv(x, w)"),
        w=numbers(4, 3, 3, 3),
        k=numbers(4, 1, 1),
    )
    after, notes = apply(FOLD_BATCH_NORM, before)
    assert ops(after) == ops(before)
    assert reason(notes).startswith("its input 'c' is not computed in this graph")


@pytest.mark.parametrize("dtype", ["float16", "double"])
def test_other_float_types_are_rounded_once(dtype: str) -> None:
    kind = np.float16 if dtype == "float16" else np.float64
    inputs = f"{dtype}[N,3,6,6] x, {dtype}[4,3,3,3] w, {dtype}[4,1,1] k"
    text = f"g ({inputs}) => (y) {{ c = Conv(x, w) m = Mul(c, k) y = Mul(m, k) }}"
    weight, factor = numbers(4, 3, 3, 3).astype(kind), numbers(4, 1, 1).astype(kind)
    after, _ = apply(FOLD_BATCH_NORM, model(text, w=weight, k=factor))
    expected = (weight.astype(np.float64) * factor.astype(np.float64)[..., None] ** 2).astype(kind)
    np.testing.assert_array_equal(after.graph.initializers["w"].const_value.numpy(), expected)  # type: ignore[union-attr]


def test_before_opset_14_more_outputs_mean_training() -> None:
    before = model(
        """<ir_version: 8, opset_import: ["" : 13]> g (float[N,1,4,4] x) => (y)
        <float[1] k = {2}, float[1,1,1,1] w = {3}> {
            c = Conv(x, w) d, mean, var, saved_mean, saved_var = BatchNormalization(c, k, k, k, k) y = Relu(d) }"""
    )
    assert reason(apply(FOLD_BATCH_NORM, before)[1]).startswith("it is in training mode")


def test_a_chain_is_declined_once() -> None:
    body = "c = Relu(x) d = BatchNormalization(c, g, b, mu, var) e = Mul(d, k) y = Relu(e)"
    _, notes = fold(graph(body, x="float[N,4,6,6] x", k=(4, 1, 1), **STATISTICS))
    assert [declined.op_type for declined in notes.declined] == ["BatchNormalization"]


def test_a_chain_does_not_run_into_a_subgraph() -> None:
    before = model(
        """g (float[N,3,6,6] x, bool flag, float[4,3,3,3] w, float[4,1,1] k) => (y) {
            c = Conv(x, w) m = Mul(c, k)
            y = If(flag) <
                then_branch = yes () => (float[N,4,4,4] p) { p = Mul(m, k) },
                else_branch = no () => (float[N,4,4,4] q) { q = Conv(x, w) }>
        }""",
        w=numbers(4, 3, 3, 3),
        k=numbers(4, 1, 1),
    )
    after, _ = apply(FOLD_BATCH_NORM, before)
    assert ops(after) == ["Conv", "If", "Mul", "Conv"]
    for flag in (True, False):
        assert_equivalent(before, after, {"x": numbers(2, 3, 6, 6), "flag": np.array(flag)}, rtol=1e-5, atol=1e-5)


def test_a_range_moves_to_the_sum_of_matmul_and_bias() -> None:
    before = graph(
        "m = Mul(x, g) n = Add(m, b) d = MatMul(n, w) y = Relu(d)",
        x="float[N,5,4] x",
        w=(4, 5),
        g=(4,),
        b=(4,),
    )
    before.graph[2].outputs[0].meta[META_KEY] = Range(-1.0, 1.0)
    after, _ = fold(before)
    product, total = after.graph[0].outputs[0], after.graph[1].outputs[0]
    assert (product.name, total.name) == ("d_without_bias", "d")
    assert (product.meta.get(META_KEY), total.meta.get(META_KEY)) == (None, Range(-1.0, 1.0))


def test_names_and_ranges_stay_with_the_tensor_they_were_measured_on() -> None:
    before = graph(
        "c = Conv(x, w) t = Transpose<perm=[0,2,3,1]>(c) m = Mul(t, k) r = Relu(m) d = MatMul(r, u) y = Mul(d, k)",
        **WEIGHT,
        k=(4,),
        u=(4, 4),
    )
    for node in before.graph:
        node.outputs[0].meta[META_KEY] = Range(0.0, float(ord(node.name or "")))
    after, _ = fold(before)
    ranges = {node.outputs[0].name: node.outputs[0].meta.get(META_KEY) for node in after.graph}
    expected = {name: Range(0.0, float(ord(name))) for name in "mry"}
    assert ranges == {"c": None, **expected}


@st.composite
def networks(draw: st.DrawFn) -> ir.Model:
    """One layer of any kind with affine nodes before and behind it."""
    groups, inputs, outputs = draw(st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 3)))
    kind = draw(st.sampled_from(["Conv", "ConvTranspose", "Gemm", "MatMul"]))
    spatial = kind.startswith("Conv")
    groups = groups if spatial else 1
    before, behind = groups * inputs, groups * outputs
    kernel = (3, 3) if spatial else ()
    first, second = (behind, inputs) if kind == "Conv" else (before, outputs)
    pads = draw(st.sampled_from([0, 1])) if spatial else 0
    attributes = f"<group={groups}, pads=[{pads},{pads},{pads},{pads}]>" if spatial else ""
    bias = ", bias" if kind != "MatMul" and draw(st.booleans()) else ""
    lines, constants = [], {"w": (first, second, *kernel), "bias": (behind,)}
    last = "x"

    def affine(channels: int, place: str) -> None:
        nonlocal last
        for step, op_type in enumerate(draw(st.lists(st.sampled_from(["Mul", "Add", "Sub", "Div", "BN"]), max_size=3))):
            name = f"{place}{step}"
            if op_type == "BN":
                statistics = [f"{name}_{part}" if part != "var" else f"var_{name}" for part in ("g", "b", "mu", "var")]
                constants.update(dict.fromkeys(statistics, (channels,)))
                lines.append(f"{name} = BatchNormalization({last}, {', '.join(statistics)})")
            else:
                size = draw(st.sampled_from([1, channels]))
                constants[f"var_{name}"] = (size, *(1 for _ in kernel))
                lines.append(f"{name} = {op_type}({last}, var_{name})")
            last = name

    affine(before, "a")
    lines.append(f"layer = {kind}{attributes}({last}, w{bias})")
    last = "layer"
    affine(behind, "z")
    lines.append(f"y = Relu({last})")
    stack = kind == "MatMul" and not any("BatchNormalization" in line for line in lines) and draw(st.booleans())
    shape = f"N,{before},5,5" if spatial else f"N,5,{before}" if stack else f"N,{before}"
    return graph(" ".join(lines), x=f"float[{shape}] x", **constants)


@given(networks())
def test_any_layer_with_any_affine_neighbours_computes_the_same(before: ir.Model) -> None:
    after, notes = apply(FOLD_BATCH_NORM, before)
    shape = [dim if isinstance(dim, int) else 2 for dim in before.graph.inputs[0].shape or ()]
    # |y| reaches some hundreds: three factors of up to 10 (Div by 0.1) on either side of the layer
    assert_equivalent(before, after, {"x": numbers(*shape, seed=3)}, rtol=1e-4, atol=1e-3)
    left = [node for node in after.graph if node.op_type in ("Mul", "Add", "Sub", "Div", "BatchNormalization")]
    layer = next(node for node in before.graph if node.name == "layer" or node.outputs[0].name == "layer")
    assert len(left) <= len(notes.declined) * 3 + (layer.op_type == "MatMul")
    assert ops(apply(FOLD_BATCH_NORM, after)[0]) == ops(after)


def test_a_constant_that_widens_its_input_stays() -> None:
    ports = "float[1,1,4,4] x, float[1,3,1,1] k, float[2,3,1,1] w"
    text = f"g ({ports}) => (float[1,2,4,4] y) {{ m = Mul(x, k) y = Conv(m, w) }}"
    generator = np.random.default_rng(0)
    constants = {"k": generator.normal(size=(1, 3, 1, 1)), "w": generator.normal(size=(2, 3, 1, 1))}
    before = model(text, **{name: array.astype(np.float32) for name, array in constants.items()})
    after, notes = apply(FOLD_BATCH_NORM, before)
    assert [node.op_type for node in after.graph] == ["Mul", "Conv"]
    assert "its constant may widen what it is combined with" in notes.declined[0].reason


def test_layers_behind_are_left_alone_on_request() -> None:
    before = graph("m = Mul(x, var_k) c = Conv(m, w) y = Mul(c, var_z)", **WEIGHT, var_k=(3, 1, 1), var_z=(4, 1, 1))
    after, notes = apply(FOLD_BATCH_NORM, before, ahead=False)
    assert ops(after) == ["Mul", "Conv"]
    assert notes.counts == {"Mul folded into Conv": 1}
    assert ops(apply(FOLD_BATCH_NORM, before)[0]) == ["Conv"]


def test_layers_that_are_excluded_stay_as_they_are() -> None:
    before = graph("c = Conv(x, w) y = BatchNormalization(c, g, b, mu, var)", **WEIGHT, **STATISTICS)
    after, notes = apply(FOLD_BATCH_NORM, before, exclude_layers=["c"])
    assert ops(after) == ["Conv", "BatchNormalization"]
    assert "Conv 'c' is excluded" in reason(notes)
    with pytest.raises(InvalidOption, match=r"exclude_layers: no node is called 'cc'; did you mean 'c'\?"):
        apply(FOLD_BATCH_NORM, before, exclude_layers=["cc"])


@pytest.mark.parametrize("excluded", ["<Conv2d>", "*"])
def test_a_type_or_all_can_be_excluded(excluded: str) -> None:
    before = graph("c = Conv(x, w) y = BatchNormalization(c, g, b, mu, var)", **WEIGHT, **STATISTICS)
    after, notes = apply(FOLD_BATCH_NORM, before, exclude_layers=[excluded])
    assert ops(after) == ["Conv", "BatchNormalization"]
    assert reason(notes).startswith("Conv 'c' is excluded; ")
