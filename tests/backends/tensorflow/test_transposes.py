"""Transposes that are left in the pieces networks are made of, as PyTorch and as Keras export them.

Two counts for each: inputs and outputs as ONNX has them, and with their channels last.  What remains in the second
moves elements in the network itself: a channel shuffle, the heads of an attention, boxes in the order of their anchors.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import feeds, graph, numbers
from onnxpress_backends.tensorflow.preparing import lowered

Agree = Callable[..., list[str]]

WEIGHTS = {
    "k": numbers(8, 8, 1, 1) / 3,
    "k3": numbers(8, 8, 3, 3) / 9,
    "depth": numbers(8, 1, 3, 3) / 3,
    "patch": numbers(8, 8, 2, 2) / 5,
    "wide": numbers(8, 16, 1, 1) / 4,
    "deep": numbers(16, 8, 1, 1) / 3,
    "head": numbers(18, 8, 1, 1) / 3,
    "one": numbers(1, 2, 3, 3) / 4,
    "up": numbers(8, 8, 2, 2) / 3,
    "w": numbers(8, 8) / 3,
    "v": numbers(8, 8, seed=1) / 3,
    "long": numbers(288, 5) / 9,
    "mix": numbers(9, 9) / 3,
    "row": numbers(8),
    "places": numbers(1, 9, 8),
    "twice": np.array([1, 1, 2, 2], np.float32),
    "pixels": np.array([-1, 8, 9]),
    "column": np.array([-1, 8, 1, 1]),
    "groups": np.array([-1, 2, 4, 6, 6]),
    "image": np.array([-1, 8, 6, 6]),
    "heads": np.array([-1, 9, 2, 4]),
    "tokens": np.array([-1, 9, 8]),
    "anchors": np.array([-1, 3, 6, 6, 6]),
    "boxes": np.array([-1, 108, 6]),
    "windows": np.array([-1, 2, 3, 2, 3, 8]),
    "window": np.array([-1, 9, 8]),
    "map": np.array([-1, 6, 6, 8]),
    "keras_groups": np.array([-1, 6, 6, 2, 4]),
    "height": np.array([2]),
}

EMBED = "a = Conv<strides = [2, 2]>(x, patch) f = Reshape(a, pixels) e = Transpose<perm = [0, 2, 1]>(f)"
LAST = "Transpose<perm = [0, 2, 3, 1]>"
FIRST = "Transpose<perm = [0, 3, 1, 2]>"

PIECES = {
    "squeeze and excite": (
        """a = Conv(x, k) g = GlobalAveragePool(a) b = Conv(g, k) r = Relu(b) c = Conv(r, k) s = Sigmoid(c)
        y = Mul(a, s)""",
        (2, 0),
    ),
    "squeeze and excite by matrices": (
        """a = Conv(x, k) g = GlobalAveragePool(a) f = Flatten(g) b = MatMul(f, w) r = Relu(b) c = MatMul(r, v)
        s = Sigmoid(c) u = Reshape(s, column) y = Mul(a, u)""",
        (2, 0),
    ),
    "spatial attention": (
        """a = Conv(x, k) p = ReduceMean<axes = [1]>(a) q = ReduceMax<axes = [1]>(a) c = Concat<axis = 1>(p, q)
        m = Conv<pads = [1, 1, 1, 1]>(c, one) s = Sigmoid(m) y = Mul(a, s)""",
        (2, 0),
    ),
    "feature pyramid": (
        """a = Conv(x, k) b = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(a, k3) c = Conv(a, k)
        u = Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor">(b, , twice)
        s = Add(c, u) y = Conv<pads = [1, 1, 1, 1]>(s, k3)""",
        (2, 0),
    ),
    "u-net": (
        """a = Conv(x, k) p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a) b = Conv(p, k)
        u = ConvTranspose<strides = [2, 2]>(b, up) c = Concat<axis = 1>(a, u) y = Conv(c, wide)""",
        (2, 0),
    ),
    "pooled pyramid": (
        """a = Conv<dilations = [2, 2], pads = [2, 2, 2, 2]>(x, k3) g = GlobalAveragePool(x) b = Conv(g, k)
        z = Shape(x) e = Expand(b, z) c = Concat<axis = 1>(a, e) y = Conv(c, wide)""",
        (2, 0),
    ),
    "channel shuffle": (
        """a = Conv(x, k) r = Reshape(a, groups) t = Transpose<perm = [0, 2, 1, 3, 4]>(r) s = Reshape(t, image)
        y = Conv<group = 8>(s, depth)""",
        (3, 1),
    ),
    "channel shuffle of Keras": (
        f"""i = {FIRST}(x) a = Conv(i, k) o = {LAST}(a) r = Reshape(o, keras_groups)
        t = Transpose<perm = [0, 1, 2, 4, 3]>(r) s = Reshape(t, map) u = {FIRST}(s) b = Conv(u, k) y = {LAST}(b)""",
        (1, 3),
    ),
    "pixel shuffle": ("""a = Conv(x, deep) y = DepthToSpace<blocksize = 2, mode = "CRD">(a)""", (3, 1)),
    "convnext": (
        f"""a = Conv<group = 8, pads = [1, 1, 1, 1]>(x, depth) t = {LAST}(a) l = LayerNormalization(t, row)
        b = MatMul(l, w) r = Relu(b) c = MatMul(r, v) m = Mul(c, row) u = {FIRST}(m) y = Add(u, x)""",
        (2, 0),
    ),
    "classifier": ("a = Conv(x, k) f = Flatten(a) y = MatMul(f, long)", (1, 0)),
    "patches": (f"{EMBED} p = Add(e, places) y = MatMul(p, w)", (1, 0)),
    "attention": (
        f"""{EMBED} q = MatMul(e, w) p = MatMul(e, v) qh = Reshape(q, heads) ph = Reshape(p, heads)
        qt = Transpose<perm = [0, 2, 1, 3]>(qh) kt = Transpose<perm = [0, 2, 3, 1]>(ph)
        vt = Transpose<perm = [0, 2, 1, 3]>(ph) s = MatMul(qt, kt) m = Softmax(s) o = MatMul(m, vt)
        ot = Transpose<perm = [0, 2, 1, 3]>(o) j = Reshape(ot, tokens) y = MatMul(j, w)""",
        (5, 4),
    ),
    "mixer": (
        f"""{EMBED} n = LayerNormalization(e, row) t = Transpose<perm = [0, 2, 1]>(n) b = MatMul(t, mix) r = Relu(b)
        u = Transpose<perm = [0, 2, 1]>(r) s = Add(e, u) y = MatMul(s, w)""",
        (3, 2),
    ),
    "non-local": (
        """a = Conv(x, k) b = Conv<strides = [2, 2]>(a, k) q = Reshape(b, pixels) t = Transpose<perm = [0, 2, 1]>(q)
        s = MatMul(t, q) m = Softmax(s) y = MatMul(m, t)""",
        (1, 0),
    ),
    "windows": (
        f"""a = Conv(x, k) t = {LAST}(a) r = Reshape(t, windows) p = Transpose<perm = [0, 1, 3, 2, 4, 5]>(r)
        f = Reshape(p, window) y = MatMul(f, w)""",
        (2, 1),
    ),
    "detector": (
        """a = Conv(x, head) r = Reshape(a, anchors) t = Transpose<perm = [0, 1, 3, 4, 2]>(r) s = Sigmoid(t)
        y = Reshape(s, boxes)""",
        (2, 1),
    ),
    "single shot detector": (
        f"a = Conv(x, head) t = {LAST}(a) r = Reshape(t, boxes) y = Softmax<axis = -1>(r)",
        (1, 0),
    ),
    "text in a picture": (
        """a = Conv(x, k) p = MaxPool<kernel_shape = [6, 1]>(a) s = Squeeze(p, height)
        t = Transpose<perm = [2, 0, 1]>(s) b = MatMul(t, w) y = Softmax<axis = 2>(b)""",
        (2, 1),
    ),
    "segmentation": (
        """a = Conv(x, k) u = Resize<mode = "linear">(a, , twice) c = ArgMax<axis = 1, keepdims = 0>(u)
        y = Cast<to = 6>(c)""",
        (1, 0),
    ),
}


def piece(name: str) -> ir.Model:
    body = PIECES[name][0]
    used = {key: array for key, array in WEIGHTS.items() if f" {key})" in body or f" {key}," in body}
    return graph(body, x="float[N,6,6,8] x" if "Keras" in name else "float[N,8,6,6] x", **used)


@pytest.mark.parametrize("name", PIECES)
def test_transposes_that_are_left(agree: Agree, name: str) -> None:
    model = piece(name)
    ops = agree(model, feeds(model), rtol=1e-4, atol=1e-5)
    last = [node.op for node in lowered(model, nhwc=True).nodes]
    assert (ops.count("Transpose"), last.count("Transpose")) == PIECES[name][1]
