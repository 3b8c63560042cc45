"""Deploy models for tests, from ONNX text and arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.operators import pack

QUANT = 'AscendQuant<scale = 50.0, offset = -3.0, dst_type = "INT8">'
DEQUANT = "AscendDequant<dtype = 0>"


def deploy(text: str, *, opset: int = 17, **initializers: np.ndarray[Any, Any]) -> ir.Model:
    """The model of a graph in ONNX text, as it stands, unchecked; nodes are named after what they give.

    Args:
        text: The graph; ``QUANT`` and ``DEQUANT`` in it stand for the operators with usual attributes.
        opset: Of the default domain.
        **initializers: Inputs of the text that become weights.
    """
    text = text.replace("DEQUANT", DEQUANT).replace(" QUANT", f" {QUANT}")
    model = ir.from_onnx_text(f'<ir_version: 10, opset_import: ["" : {opset}]> {text}')
    for name, array in initializers.items():
        value = next(value for value in model.graph.inputs if value.name == name)
        model.graph.inputs.remove(value)
        value.const_value = ir.tensor(array, name=name)
        value.shape, value.dtype = ir.Shape(array.shape), value.const_value.dtype
        model.graph.initializers[name] = value
    for node in model.graph.all_nodes():
        node.name = node.outputs[0].name
    return model


def words(*scales: float) -> np.ndarray[Any, Any]:
    """A deq_scale of AscendDequant."""
    return pack(np.array(scales, np.float32))


def integers(*shape: int, dtype: str = "int8", high: int = 128) -> np.ndarray[Any, Any]:
    """The same random integers every time, below `high` in magnitude."""
    return np.random.default_rng(sum(shape)).integers(-high, high, shape, dtype=dtype)


def convolution(**changed: np.ndarray[Any, Any]) -> ir.Model:
    """A convolution with a scale for each of its four channels, and Relu behind it."""
    arrays = {
        "w": integers(4, 3, 3, 3),
        "b": integers(4, dtype="int32", high=1000),
        "s": words(1e-3, 2e-3, 3e-3, 4e-3),
    }
    return deploy(
        """agraph (float[1,3,8,8] x, int8[4,3,3,3] w, int32[4] b, uint64[4] s) => (float[1,4,8,8] y) {
            q = QUANT(x)
            c = Conv<pads = [1,1,1,1]>(q, w, b)
            d = DEQUANT(c, s)
            y = Relu(d)
        }""",
        **arrays | changed,
    )


def every_operator() -> ir.Model:
    """Convolution, padding, pooling, transposed convolution, MatMul with its bias, Gemm, and a pair without layer."""
    return deploy(
        """agraph (float[1,3,8,8] x, int8[4,3,3,3] w, int32[4] b, uint64[4] s, int64[8] pads, uint64[1] sp,
                   int8[4,2,2,2] wt, int32[4] bt, uint64[4] st, int64[2] shape, int8[400,6] wm, int32[6] bm,
                   uint64[6] sm, int8[6,5] wg, int32[5] bg, uint64[1] sg) => (float[1,5] y, float[1,6] z) {
            q = QUANT(x)
            c = Conv<pads = [1,1,1,1]>(q, w, b)
            d = DEQUANT(c, s)
            qp = QUANT(d)
            p = Pad(qp, pads)
            a = AveragePool<kernel_shape = [2,2], strides = [2,2]>(p)
            da = DEQUANT(a, sp)
            qt = QUANT(da)
            t = ConvTranspose<group = 2, strides = [2,2]>(qt, wt, bt)
            dt = DEQUANT(t, st)
            f = Reshape(dt, shape)
            qm = QUANT(f)
            m = MatMul(qm, wm)
            mb = Add(m, bm)
            dm = DEQUANT(mb, sm)
            qg = QUANT(dm)
            g = Gemm(qg, wg, bg)
            y = DEQUANT(g, sg)
            z = AscendAntiQuant<scale = 0.02, offset = -3.0, dst_type = "INT8">(qg)
        }""",
        w=integers(4, 3, 3, 3),
        b=integers(4, dtype="int32", high=1000),
        s=words(1e-3, 2e-3, 3e-3, 4e-3),
        pads=np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
        sp=words(0.02),
        wt=integers(4, 2, 2, 2),
        bt=integers(4, dtype="int32", high=1000),
        st=words(1e-3, 2e-3, 3e-3, 4e-3),
        shape=np.array([1, -1], np.int64),
        wm=integers(400, 6),
        bm=integers(6, dtype="int32", high=1000),
        sm=words(*[1e-3] * 6),
        wg=integers(6, 5),
        bg=integers(5, dtype="int32", high=1000),
        sg=words(1e-3),
    )
