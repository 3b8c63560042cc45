"""Which layers a value comes from or goes to, and what stands in the way."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.testing import model
from onnxpress_plugins.folding.affine import Affine, Channels, Obstacle
from onnxpress_plugins.folding.affine_paths import NoLayer, downstream, upstream

CONSTANTS = {"w": (4, 3, 3, 3), "v": (2, 4, 3, 3), "u": (4, 5), "g": (2, 2, 1, 1)}
SHIFT = Affine(np.ones(4), np.ones(4))
NEGATIVE = Affine(-np.ones(4), np.zeros(4))


def graph(body: str) -> tuple[ir.Graph, dict[str, ir.Value]]:
    """A graph of x [N,3,8,8] and f [N,4,8,8], and its values by name."""
    declared = ", ".join(f"float[{','.join(map(str, shape))}] {name}" for name, shape in CONSTANTS.items())
    parsed = model(
        f"g (float[N,3,8,8] x, float[N,4,8,8] f, {declared}) => (y) {{ {body} }}",
        **{name: np.ones(shape, np.float32) for name, shape in CONSTANTS.items()},
    )
    values = [*parsed.graph.inputs, *(value for node in parsed.graph for value in node.outputs)]
    return parsed.graph, {value.name or "": value for value in values}


def test_upstream_through_a_transpose_the_channels_move() -> None:
    parsed, values = graph("c = Conv(x, w) t = Transpose<perm=[0,2,3,1]>(c) y = Relu(t)")
    reach = upstream(values["t"], parsed)
    assert reach.channels == Channels(axes=(-1,), rank=4, sizes=(4,))
    assert [(layer.node.op_type, start) for layer, start in reach.layers] == [("Conv", 0)]
    assert [value.name for value in reach.between] == ["c", "t"]


def test_a_concat_of_layers_shares_out_the_channels() -> None:
    parsed, values = graph(
        """c = Conv(x, w) d = Conv<pads=[1,1,1,1]>(f, v) e = Conv(x, w) p = MaxPool<kernel_shape=[3,3]>(d)
        j = Concat<axis=-3>(c, p) k = Concat<axis=1>(j, e) y = Relu(k)"""
    )
    reach = upstream(values["k"], parsed)
    assert reach.channels.size == 10
    assert [start for _, start in reach.layers] == [0, 4, 6]
    whole = Affine(np.arange(10.0), np.zeros(10))
    assert [part.scale.tolist() for _, part in reach.parts(whole)] == [[0, 1, 2, 3], [4, 5], [6, 7, 8, 9]]


def test_downstream_of_a_split_in_channels_last() -> None:
    parsed, values = graph(
        """i = Relu(f) t = Transpose<perm=[0,2,3,1]>(i) l, r = Split<axis=3>(t)
        a = Transpose<perm=[0,3,1,2]>(l) b = Transpose<perm=[0,3,1,2]>(r) c = Conv(a, g) d = Conv(b, g) y = Add(c, d)"""
    )
    reach = downstream(values["t"], parsed)
    assert reach.channels == Channels(axes=(-1,), rank=4, sizes=(4,))
    assert [start for _, start in reach.layers] == [0, 2]


OBSTACLES = {
    "Relu": ("c = Conv(x, w) r = Relu(c) y = Neg(r)", "r", NoLayer, "its input comes from Relu 'r'"),
    "input": ("y = Relu(x)", "x", NoLayer, "its input 'x' is not computed in this graph"),
    "used twice": ("c = Conv(x, w) t = Transpose(c) y = Add(t, t)", "t", Obstacle, "'t' is used 2 times"),
    "used before": (
        "c = Conv(x, w) p = GlobalMaxPool(c) y = Add(p, c)",
        "p",
        Obstacle,
        "'c' is used 2 times",
    ),
    "Concat along the width": (
        "c = Conv(x, w) d = Conv(x, w) j = Concat<axis=3>(c, d) y = Relu(j)",
        "j",
        Obstacle,
        "Concat 'j' does not run along the channels",
    ),
    "pooling across channels": (
        "c = Conv(x, w) t = Transpose<perm=[0,2,3,1]>(c) p = GlobalAveragePool(t) y = Relu(p)",
        "p",
        Obstacle,
        "GlobalAveragePool 'p' does not keep the channels apart",
    ),
    "windows over the edge": (
        "c = Conv(x, w) p = AveragePool<kernel_shape=[4,4], ceil_mode=1>(c) y = Relu(p)",
        "p",
        NoLayer,
        "its input comes from AveragePool 'p'",
    ),
    "padding that counts": (
        "c = Conv(x, w) p = AveragePool<kernel_shape=[2,2], count_include_pad=1>(c) y = Relu(p)",
        "p",
        NoLayer,
        "its input comes from AveragePool 'p'",
    ),
}


@pytest.mark.parametrize(("body", "name", "kind", "why"), OBSTACLES.values(), ids=OBSTACLES)
def test_upstream_obstacles(body: str, name: str, kind: type[Obstacle], why: str) -> None:
    parsed, values = graph(body)
    with pytest.raises(kind, match=f"^{why}$"):
        upstream(values[name], parsed)


def test_what_is_only_a_size_for_a_layer_is_not_its_data() -> None:
    parsed = model(
        "g (float[N,4] x, int64[2] n, float[4,5] u) => (y) { s = Abs(n) r = Reshape(x, s) y = MatMul(r, u) }"
    )
    with pytest.raises(NoLayer, match=r"^its output goes to Reshape 'r'$"):
        downstream(parsed.graph[0].outputs[0], parsed.graph)


CONDITIONS = {
    "padded Conv": ("y = Conv<pads=[0,0,1,0]>(i, v)", SHIFT, "Conv 'y' pads its input with zeros"),
    "SAME": ('y = Conv<auto_pad="SAME_LOWER">(i, v)', SHIFT, "Conv 'y' pads its input with zeros"),
    "ConvTranspose": ("y = ConvTranspose(i, w4)", SHIFT, "ConvTranspose 'y' pads its input with zeros"),
    "MaxPool": ("p = MaxPool<kernel_shape=[2,2]>(i) y = Conv(p, v)", NEGATIVE, "MaxPool 'p' is no maximum after"),
    "Pad": ("p = Pad(i, pads) y = Conv(p, v)", SHIFT, "Pad 'p' adds zeros, which a shift would change"),
}


@pytest.mark.parametrize(("body", "affine", "why"), CONDITIONS.values(), ids=CONDITIONS)
def test_downstream_conditions(body: str, affine: Affine, why: str) -> None:
    prelude = "pads = Constant<value_ints=[0,0,1,1,0,0,1,1]>() w4 = Constant<value=float[4,1,1,2] {1,2,3,4,5,6,7,8}>()"
    parsed, values = graph(f"{prelude} i = Relu(f) {body}")
    reach = downstream(values["i"], parsed)
    reach.check(Affine(np.full(4, 2.0), np.zeros(4)))
    with pytest.raises(Obstacle, match=f"^{why}"):
        reach.check(affine)


@pytest.mark.parametrize(
    "pad",
    [
        "Pad(i, pads, one)",
        'Pad<mode="edge">(i, pads)',
        "Pad(i, pads2, zero, axes)",
    ],
)
def test_other_borders_are_not_crossed(pad: str) -> None:
    constants = """int64[8] pads = {0,0,1,1,0,0,1,1}, int64[4] pads2 = {0,0,0,0}, int64[2] axes = {2,3},
        float one = {1}, float zero = {0}, float[1,4,1,1] v = {1,2,3,4}"""
    parsed = model(
        f"""<ir_version: 10, opset_import: ["" : 18]> g (float[N,4,8,8] x) => (y) <{constants}> {{
            i = Relu(x) p = {pad} y = Conv(p, v) }}"""
    )
    with pytest.raises(NoLayer, match=r"^its output goes to Pad 'p'$"):
        downstream(parsed.graph[0].outputs[0], parsed.graph)
