"""Graphs that were whole, broken in one place each, and the sentence for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onnxpress.errors import InvalidModel
from onnxpress_backends.ascend.frozen_graphs.checking import check
from onnxpress_backends.tensorflow.graphs.dtypes import of_numpy
from onnxpress_backends.tensorflow.graphs.graph_def import tensor_proto
from quantised_models import quantised

CONV = "g (float[1,4,6,6] x, float[4,4,3,3] w, float[4] b) => (float[1,4,4,4] y) { [c] y = Conv(x, w, b) }"
GROUPS = "g (float[1,4,6,6] x, float[4,2,3,3] w, float[4] b) => (float[1,4,4,4] y) { [c] y = Conv<group=2>(x, w, b) }"
POOL = "g (float[1,4,6,6] x) => (float[1,4,3,3] y) { [c] y = AveragePool<kernel_shape=[2,2], strides=[2,2]>(x) }"
STACK = """g (float[2,3,4] x, float[2,4,5] w, float[5] b) => (float[2,3,5] y) {
             [c] m = MatMul(x, w) [a] y = Add(m, b) }"""


def node(graph_def: Any, name: str) -> Any:
    return next(node for node in graph_def.node if node.name == name)


def hold(graph_def: Any, name: str, array: Any) -> None:
    """Let a Const hold other numbers."""
    const = node(graph_def, name)
    const.attr["dtype"].type = of_numpy(array.dtype)
    const.attr["value"].tensor.CopyFrom(tensor_proto(array, of_numpy(array.dtype)))


def insert(graph_def: Any, op: str, behind: str, before: str) -> None:
    """Put a node of `op` between two."""
    graph_def.node.add(name="between", op=op, input=[behind])
    target = node(graph_def, before)
    target.input[list(target.input).index(behind)] = "between"


def setting(name: str, attribute: str, field: str, value: Any) -> Callable[[Any], None]:
    """Give an attribute another value."""

    def change(graph_def: Any) -> None:
        attr = node(graph_def, name).attr[attribute]
        attr.Clear()
        if field == "list":
            attr.list.i.extend(value)
        else:
            setattr(attr, field, value)

    return change


def without(name: str, attribute: str) -> Callable[[Any], None]:
    """Take an attribute away."""
    return lambda graph_def: node(graph_def, name).attr.pop(attribute)


BROKEN: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "scale of zero": (
        CONV,
        setting("c.quant", "scale", "f", 0.0),
        "node 'c.quant' (AscendQuant): attribute 'scale' is 0.0; it must be FLOAT in [1.17549e-38, 8388608]",
    ),
    "scale beyond the largest": (
        CONV,
        setting("c.quant", "scale", "f", 1e7),
        "node 'c.quant' (AscendQuant): attribute 'scale' is 10000000.0; it must be FLOAT in [1.17549e-38, 8388608]",
    ),
    "offset with a fraction": (
        CONV,
        setting("c.quant", "offset", "f", 0.5),
        "node 'c.quant' (AscendQuant): attribute 'offset' is 0.5; it must be whole FLOAT in [-128, 127]",
    ),
    "offset of another type": (
        CONV,
        setting("c.quant", "offset", "i", 3),
        "node 'c.quant' (AscendQuant): attribute 'offset' is 3; it must be whole FLOAT in [-128, 127]",
    ),
    "four bits": (
        CONV,
        setting("c.quant", "dst_type", "s", b"INT4"),
        "node 'c.quant' (AscendQuant): attribute 'dst_type' is INT4; it must be STRING 'INT8'",
    ),
    "attribute of another kind": (
        CONV,
        setting("c.dequant", "data_format", "b", True),
        "node 'c.dequant' (AscendDequant): attribute 'data_format' is of another type; it must be STRING 'NHWC'",
    ),
    "attribute missing": (
        CONV,
        without("c.dequant", "ksize"),
        "node 'c.dequant' (AscendDequant): attribute 'ksize' is missing; it must be INTS in [1, 3.402823e+38]",
    ),
    "attribute unknown": (
        CONV,
        setting("c.dequant", "relu_flag", "b", True),
        "node 'c.dequant' (AscendDequant) has no attribute 'relu_flag'; it takes T, ksize, data_format",
    ),
    "high word": (
        CONV,
        lambda graph: hold(graph, "c.dequant.param", np.full(4, (1 << 32) + 0x3F800000, np.uint64)),
        "node 'c.dequant' (AscendDequant): deq_scale has a shift or an offset in its high words, which must be 0",
    ),
    "infinite deq_scale": (
        CONV,
        lambda graph: hold(graph, "c.dequant.param", np.full(4, 0x7F800000, np.uint64)),
        "node 'c.dequant' (AscendDequant): deq_scale holds inf, not a normal positive float32",
    ),
    "deq_scale of another type": (
        CONV,
        lambda graph: hold(graph, "c.dequant.param", np.ones(4, np.float32)),
        "node 'c.dequant' (AscendDequant): deq_scale must be a constant vector of uint64",
    ),
    "deq_scale too long": (
        CONV,
        lambda graph: hold(graph, "c.dequant.param", np.full(5, 0x3F800000, np.uint64)),
        "node 'c.dequant' (AscendDequant): deq_scale has 5 words for 4 channels; 1 or 4 are right",
    ),
    "ksize of a pooling": (
        POOL,
        setting("c.dequant", "ksize", "list", [1, 1]),
        "node 'c.dequant' (AscendDequant): ksize is [1, 1], and must be [2, 2]",
    ),
    "ksize of a convolution": (
        CONV,
        setting("c.dequant", "ksize", "list", [3, 3]),
        "node 'c.dequant' (AscendDequant): ksize is [3, 3], and must be [1, 1]",
    ),
    "float weight": (
        CONV,
        lambda graph: hold(graph, "w_c", np.ones((3, 3, 4, 4), np.float32)),
        "node 'c.weight_quant' (AscendWeightQuant): its weight must be a constant of int8",
    ),
    "offset of a weight": (
        CONV,
        lambda graph: hold(graph, "c.weight_offset", np.ones((1, 1, 1, 4), np.int8)),
        "node 'c.weight_quant' (AscendWeightQuant): its offset must be a constant of int8 zeros, for weights are "
        "symmetric",
    ),
    "shape of the offset": (
        CONV,
        lambda graph: hold(graph, "c.weight_offset", np.zeros(4, np.int8)),
        "node 'c.weight_quant' (AscendWeightQuant): its offset has shape [4], which is neither [1] nor one for each "
        "channel",
    ),
    "weight without AscendWeightQuant": (
        CONV,
        lambda graph: node(graph, "c").input.__setitem__(1, "w_c"),
        "node 'c.weight_quant' (AscendWeightQuant) must be the weight of one layer, and goes to nothing; node 'c' "
        "(Conv2D): its weight is node 'w_c' (Const), not AscendWeightQuant",
    ),
    "float bias": (
        CONV,
        lambda graph: hold(graph, "b", np.ones(4, np.float32)),
        "node 'c/BiasAdd' (BiasAdd): its bias must be a Cast of a constant of int32",
    ),
    "short bias": (
        CONV,
        lambda graph: hold(graph, "b", np.ones(3, np.int32)),
        "node 'c/BiasAdd' (BiasAdd): its bias has shape [3] for 4 channels",
    ),
    "BiasAdd behind a stack of matrices": (
        STACK,
        lambda graph: setattr(node(graph, node(graph, "y").input[0]), "op", "BiasAdd"),
        "node 'a' (BiasAdd) brings the bias of BatchMatMulV2, which Add must",
    ),
    "something between": (
        CONV,
        lambda graph: insert(graph, "Relu", "c/BiasAdd", "c.dequant"),
        "node 'c.dequant' (AscendDequant) reads node 'between' (Relu); GE knows AvgPool, BatchMatMulV2, Conv2D, "
        "Conv2DBackpropInput, Conv3D, DepthwiseConv2dNative, MatMul there, and a bias behind them",
    ),
    "something in front": (
        CONV,
        lambda graph: insert(graph, "Transpose", "c.quant", "c"),
        "node 'c.quant' (AscendQuant): its integers go to node 'between' (Transpose), which GE does not run on "
        "integers; node 'c' (Conv2D) takes integers from node 'between' (Transpose), not from AscendQuant",
    ),
    "two readers of the accumulator": (
        CONV,
        lambda graph: graph.node.add(name="more", op="Relu", input=["c/BiasAdd"]),
        "node 'c/BiasAdd' (BiasAdd): its integers must go to one node, and go to 2",
    ),
    "channels in the middle": (
        CONV,
        setting("c", "data_format", "s", b"NCHW"),
        "node 'c' (Conv2D): attribute 'data_format' must be b'NHWC' or b'NDHWC'",
    ),
    "groups out of order": (
        GROUPS,
        lambda graph: node(graph, "c_0").input.__setitem__(0, node(graph, "c_1").input[0]),
        "node 'c/ConcatV2' (ConcatV2) does not join one Conv2D for each part of a Split",
    ),
    "groups of floats": (
        GROUPS,
        lambda graph: node(graph, "c/Split").input.__setitem__(1, "x"),
        "node 'c/Split' (Split) reads node 'x' (Placeholder), not AscendQuant",
    ),
}


@pytest.fixture
def written(write: Any) -> Callable[[str], Any]:
    """A whole graph whose input and output have their channels last."""

    def graph(text: str) -> Any:
        graph_def = write(quantised(text, step=0.05, zero_point=-3), nhwc=True)
        if "Add" not in text:
            rename(graph_def, "y", "c.dequant")
        return graph_def

    return graph


def rename(graph_def: Any, old: str, new: str) -> None:
    node(graph_def, old).name = new


@pytest.mark.parametrize("text", [CONV, GROUPS, POOL, STACK], ids=["conv", "groups", "pool", "stack"])
def test_whole_graphs_pass(written: Any, text: str) -> None:
    check(written(text))


@pytest.mark.parametrize("case", BROKEN)
def test_broken_graphs_do_not(written: Any, case: str) -> None:
    text, change, sentence = BROKEN[case]
    graph_def = written(text)
    change(graph_def)
    with pytest.raises(InvalidModel) as caught:
        check(graph_def, name="broken.pb")
    assert str(caught.value) == f"broken.pb is not a valid quantised graph: {sentence}"


def test_an_identity_is_not_seen(written: Any) -> None:
    graph_def = written(CONV)
    insert(graph_def, "Identity", "w_c", "c.weight_quant")
    check(graph_def)


def test_the_offset_of_anti_quant_is_turned(write: Any) -> None:
    model = quantised(
        "g (float[1,4,6,6] x, float[4,4,3,3] w) => (float[1,4,4,4] y, float[1,4,6,6] z)"
        " { [c] y = Conv(x, w) z = Relu(x) }"
    )
    relu = next(node for node in model.graph if node.op_type == "Relu")
    relu.replace_input_with(0, next(node.outputs[0] for node in model.graph if node.op_type == "DequantizeLinear"))
    graph_def = write(model)
    (anti,) = (node for node in graph_def.node if node.op == "AscendAntiQuant")
    anti.attr["offset"].f = -7.0
    with pytest.raises(InvalidModel, match=r"its offset is -7, and must be 7, which takes that of AscendQuant off$"):
        check(graph_def)
    anti.input[0] = "x"
    with pytest.raises(InvalidModel, match=r"reads node 'x' \(Placeholder\), not AscendQuant$"):
        check(graph_def)


def test_a_layer_in_a_function_is_not_one(written: Any) -> None:
    graph_def = written(CONV)
    function = next(each for each in graph_def.library.function if each.signature.name == "AscendQuant")
    function.node_def.add(name="inner", op="AscendQuant")
    with pytest.raises(InvalidModel, match=r"'inner' \(AscendQuant\) stands inside of function 'AscendQuant'"):
        check(graph_def)


def test_five_breaches_and_how_many_more(written: Any) -> None:
    graph_def = written(CONV)
    quant = node(graph_def, "c.quant")
    quant.attr.clear()
    dequant = node(graph_def, "c.dequant")
    dequant.attr.clear()
    with pytest.raises(InvalidModel, match=r"\(and 3 more\)$"):
        check(graph_def)
