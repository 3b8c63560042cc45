"""Files as AMCT writes them, built node by node from the description of its passes, apart from any code of onnxpress.

`deploy_file` does what ``insert_quant_pass`` and its fellows do to a float graph: names, Constants, the weight of a
MatMul left behind its Transpose, one AscendQuant for each layer.  `fake_quant_file` does what ``replace_quant_pass``,
``weight_fakequant_pass``, ``replace_bias_quant_pass`` and ``replace_dequant_pass`` do to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


@dataclass(frozen=True, kw_only=True)
class Record:
    """What AMCT's record file says of one layer."""

    scale_d: float
    offset_d: int
    scale_w: tuple[float, ...] = (1.0,)


@dataclass(kw_only=True)
class FloatGraph:
    """A float graph of ONNX, and the arrays of its constants."""

    text: str
    arrays: Mapping[str, np.ndarray[Any, Any]]
    records: Mapping[str, Record]
    opset: int = 11
    half: bool = False
    constants: tuple[str, ...] = field(default=())

    def proto(self) -> onnx.ModelProto:
        """The float model; `constants` are Constant nodes, the other arrays initialisers."""
        model = onnx.parser.parse_model(f'<ir_version: 7, opset_import: ["" : {self.opset}]> {self.text}')
        for name, array in self.arrays.items():
            (declared,) = (item for item in model.graph.input if item.name == name)
            model.graph.input.remove(declared)
            tensor = numpy_helper.from_array(array, name)
            if name in self.constants:
                node = helper.make_node("Constant", [], [name], f"Constant_{name}", value=tensor)
                model.graph.node.insert(0, node)
            else:
                model.graph.initializer.append(tensor)
        for node in model.graph.node:
            node.name = node.name or node.output[0]
        return model


def deploy_file(given: FloatGraph) -> onnx.ModelProto:
    """``<name>_deploy_model.onnx``."""
    model = given.proto()
    graph = model.graph
    for name, record in given.records.items():
        layer = _node(graph, name)
        scale_d, scale_w = np.float32(record.scale_d), np.array(record.scale_w, np.float32)
        deq_scale = scale_w * scale_d
        _insert_quant(graph, layer, np.float32(1) / scale_d, record.offset_d)
        if layer.op_type != "AveragePool":
            _change(graph, _stored_name(graph, layer.input[1]), lambda w, n=layer, s=scale_w: _int8(w, n, s))
            if (bias := _bias(graph, layer)) is not None:
                _change(graph, bias, lambda b, s=deq_scale: np.rint(b / s).astype(np.int32))
        _insert_dequant(graph, layer, deq_scale, given.half)
    return _sorted(model)


def fake_quant_file(given: FloatGraph) -> onnx.ModelProto:
    """``<name>_fake_quant_model.onnx``."""
    model = deploy_file(given)
    graph = model.graph
    for node in [node for node in graph.node if node.op_type.startswith("Ascend")]:
        graph.node.remove(node)
        nodes = _fake_quant(node, given.half) if node.op_type == "AscendQuant" else _fake_dequant(graph, node, given)
        graph.node.extend(nodes)
    integers = [name for name in given.arrays if _numbers(graph, name).dtype in (np.int8, np.int32)]
    for name in integers:
        _change(graph, name, lambda numbers: numbers.astype(np.float32))
    return _sorted(model)


def _insert_quant(graph: onnx.GraphProto, layer: onnx.NodeProto, scale: np.float32, offset: int) -> None:
    before = layer
    if layer.op_type == "AveragePool":
        before = next((node for node in graph.node if node.name == f"{layer.name}_pad"), layer)
    output = f"{layer.name}.quant.output0"
    quant = helper.make_node(
        "AscendQuant", [before.input[0]], [output], f"{layer.name}.quant",
        scale=float(scale), offset=float(offset), dst_type="INT8",
    )  # fmt: skip
    before.input[0] = output
    graph.node.append(quant)


def _insert_dequant(graph: onnx.GraphProto, layer: onnx.NodeProto, deq_scale: np.ndarray, half: bool) -> None:
    end = _adds_bias(graph, layer) or layer
    old, output, name = end.output[0], f"{layer.name}.dequant.output0", f"{layer.name}.dequant"
    if any(item.name == old for item in graph.output):
        output, end.output[0] = old, f"{end.name}_output0"
    for node in graph.node:
        for index, used in enumerate(node.input):
            if used == old:
                node.input[index] = output
    words = deq_scale.astype(np.float32).reshape(-1).view(np.uint32).astype(np.uint64)
    graph.initializer.append(numpy_helper.from_array(words, f"{name}.param"))
    graph.node.append(
        helper.make_node("AscendDequant", [end.output[0], f"{name}.param"], [output], name, dtype=int(half))
    )


def _fake_quant(quant: onnx.NodeProto, half: bool) -> list[onnx.NodeProto]:
    scale, offset = (next(a.f for a in quant.attribute if a.name == name) for name in ("scale", "offset"))
    prefix, source, nodes = f"{quant.name}.fakequant", quant.input[0], []
    numbers = {"scale": scale, "offset": offset, "min_val": -128, "max_val": 127}
    for key, number in numbers.items():
        tensor = helper.make_tensor("", onnx.TensorProto.FLOAT, [], [number])
        nodes.append(helper.make_node("Constant", [], [f"{prefix}.{key}.output0"], f"{prefix}.{key}", value=tensor))
    if half:
        nodes.append(helper.make_node("Cast", [source], [f"{prefix}.cast.output0"], f"{prefix}.cast", to=1))
        source = f"{prefix}.cast.output0"
    steps = {"mul": ["scale"], "round": [], "add": ["offset"], "clip": ["min_val", "max_val"], "sub": ["offset"]}
    for key, operands in steps.items():
        inputs = [source, *(f"{prefix}.{operand}.output0" for operand in operands)]
        source = f"{prefix}.{key}.output0"
        nodes.append(helper.make_node(key.capitalize(), inputs, [source], f"{prefix}.{key}"))
    nodes[-1].output[0] = quant.output[0]
    return nodes


def _fake_dequant(graph: onnx.GraphProto, dequant: onnx.NodeProto, given: FloatGraph) -> list[onnx.NodeProto]:
    (parameter,) = (item for item in graph.initializer if item.name == dequant.input[1])
    scales = numpy_helper.to_array(parameter).astype(np.uint32).view(np.float32)
    graph.initializer.remove(parameter)
    layer = dequant.name.removesuffix(".dequant")
    cube, prefix, output = _node(graph, layer), f"{layer}.fakedequant", dequant.output[0]
    spatial = _numbers(graph, cube.input[1]).ndim - 2 if cube.op_type in ("Conv", "ConvTranspose") else 0
    tensor = numpy_helper.from_array(scales.reshape(1, -1, *[1] * spatial))
    nodes = [
        helper.make_node("Constant", [], [f"{prefix}.dqscale.output0"], f"{prefix}.dqscale", value=tensor),
        helper.make_node("Mul", [dequant.input[0], f"{prefix}.dqscale.output0"], [output], f"{prefix}.mul"),
    ]
    if given.half:
        nodes[-1].output[0] = f"{prefix}.mul.output0"
        nodes.append(helper.make_node("Cast", [f"{prefix}.mul.output0"], [output], f"{prefix}.cast", to=10))
    return nodes


def _int8(weight: np.ndarray, layer: onnx.NodeProto, scales: np.ndarray) -> np.ndarray:
    """ARQ: symmetric; a ConvTranspose goes by output channels too, of which each group has its own."""
    weight = weight.astype(np.float32)
    if layer.op_type == "Conv":
        ratio = weight / scales.reshape([-1, *[1] * (weight.ndim - 1)])
    elif layer.op_type == "ConvTranspose":
        groups = next((a.i for a in layer.attribute if a.name == "group"), 1)
        view = weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)
        ratio = (view / scales.reshape(groups if scales.size > 1 else 1, 1, -1, 1)).reshape(weight.shape)
    else:
        turned = any(a.name == "transB" and a.i for a in layer.attribute)
        ratio = weight / (scales.reshape(-1, 1) if turned else scales)
    return np.clip(np.rint(ratio), -128, 127).astype(np.int8)


def _bias(graph: onnx.GraphProto, layer: onnx.NodeProto) -> str | None:
    add = _adds_bias(graph, layer)
    if add is not None:
        return next(name for name in add.input if name != layer.output[0])
    return layer.input[2] if len(layer.input) > 2 else None


def _adds_bias(graph: onnx.GraphProto, layer: onnx.NodeProto) -> onnx.NodeProto | None:
    users = [node for node in graph.node if layer.output[0] in node.input]
    return users[0] if layer.op_type == "MatMul" and [node.op_type for node in users] == ["Add"] else None


def _stored_name(graph: onnx.GraphProto, name: str) -> str:
    transpose = next((node for node in graph.node if node.op_type == "Transpose" and node.output[0] == name), None)
    return transpose.input[0] if transpose else name


def _node(graph: onnx.GraphProto, name: str) -> onnx.NodeProto:
    return next(node for node in graph.node if node.name == name)


def _tensor(graph: onnx.GraphProto, name: str) -> onnx.TensorProto:
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] == name:
            return node.attribute[0].t
    return next(item for item in graph.initializer if item.name == name)


def _numbers(graph: onnx.GraphProto, name: str) -> np.ndarray:
    return numpy_helper.to_array(_tensor(graph, name))


def _change(graph: onnx.GraphProto, name: str, change: Any) -> None:
    tensor = _tensor(graph, name)
    tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)), tensor.name))


def _sorted(model: onnx.ModelProto) -> onnx.ModelProto:
    """The nodes in an order in which they can be computed."""
    waiting = list(model.graph.node)
    known = {"", *(item.name for item in model.graph.input), *(item.name for item in model.graph.initializer)}
    del model.graph.node[:]
    while waiting:
        node = next(node for node in waiting if known.issuperset(node.input))
        waiting.remove(node)
        known.update(node.output)
        model.graph.node.append(node)
    return model


def network(*, opset: int = 11, half: bool = False) -> FloatGraph:
    """Every kind of layer, with Constants where an exporter leaves them, in float16 on request."""
    rng, dtype = np.random.default_rng(7), np.float16 if half else np.float32

    def floats(*shape: int) -> np.ndarray[Any, Any]:
        return rng.standard_normal(shape).astype(dtype)

    text = """network (float[1,3,8,8] x, float[4,3,3,3] w, float[4] b, float[4,2,2,2] wt, float[4] bt, int64[8] pads,
            int64[2] shape, float[6,256] wm, float[6] bm, float[5,6] wg, float[5] bg) => (float[1,5] y, float[1,6] z) {
        [conv] c = Conv<pads = [1,1,1,1]>(x, w, b)
        r = Relu(c)
        [pool_pad] p = Pad(r, pads)
        [pool] a = AveragePool<kernel_shape = [2,2], strides = [2,2]>(p)
        [deconv] t = ConvTranspose<group = 2, strides = [2,2], pads = [1,1,1,1]>(a, wt, bt)
        f = Reshape(t, shape)
        u = Transpose<perm = [1,0]>(wm)
        [linear] m = MatMul(f, u)
        n = Add(bm, m)
        z = Relu(n)
        [fc] y = Gemm<transB = 1>(n, wg, bg)
    }"""
    return FloatGraph(
        text=text.replace("float[", "float16[") if half else text,
        arrays={
            "w": floats(4, 3, 3, 3),
            "b": floats(4),
            "wt": floats(4, 2, 2, 2),
            "bt": floats(4),
            "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
            "shape": np.array([1, 256], np.int64),
            "wm": floats(6, 256),
            "bm": floats(6),
            "wg": floats(5, 6),
            "bg": floats(5),
        },
        records={
            "conv": Record(scale_d=0.0301, offset_d=3, scale_w=(0.0213, 0.0217, 0.0221, 0.0229)),
            "pool": Record(scale_d=0.0521, offset_d=-128),
            "deconv": Record(scale_d=0.0413, offset_d=-128, scale_w=(0.0203, 0.0211, 0.0223, 0.0227)),
            "linear": Record(scale_d=0.0709, offset_d=-10, scale_w=(0.0231,)),
            "fc": Record(scale_d=0.907, offset_d=5, scale_w=(0.0219,)),
        },
        opset=opset,
        half=half,
        constants=("w", "b", "wm", "bm"),
    )
