"""QuantizeLinear and DequantizeLinear become AscendQuant, operators on integers, AscendDequant and AscendAntiQuant.

    x -> Q -> DQ -> Conv(DQ(w), DQ(b)) -> y         x -> AscendQuant -> Conv(w_q, b_q) -> AscendDequant -> y
    x -> Q -> DQ -> y                               x -> AscendQuant -> AscendAntiQuant -> y

Every tensor keeps its name; so do operators and weights.  All AscendQuant of one tensor with one step are one node,
called after the first layer that reads it.  The offset of the data stays in AscendQuant: whoever runs the file takes
``offset * sum(w_q)`` off the accumulator, and pads with the offset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.operators import ANTI_QUANT, DEQUANT, QUANT, SMALLEST_SCALE, pack
from onnxpress.kinds import WARNINGS_KEY
from onnxpress.naming import Names
from onnxpress_backends.ascend.clips import relax_clips
from onnxpress_backends.ascend.layers import Layer, layers
from onnxpress_backends.ascend.preparing import prepared
from onnxpress_backends.ascend.sinking import sink_pairs
from onnxpress_backends.ascend.steps import Step, dequantizes, is_tiny, refuse_odd_pair, step, title
from onnxpress_backends.ascend.stored_integers import activation, floats_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


_Quantisation = tuple[ir.Value, Step, ir.Graph]
"""A tensor, how it is quantised, and the graph in which it is."""


def deployed(model: ir.Model, *, batch: int | None = None) -> ir.Model:
    """A quantised model as Ascend deploys it.

    Args:
        model: A model with QuantizeLinear and DequantizeLinear; it is not changed.
        batch: Samples that go in at a time; None where the model itself fixes it.

    Returns:
        A model that `onnxpress.ascend.checking.check` passes; what the user must know is in its `meta`, under
        `WARNINGS_KEY`.

    Raises:
        InvalidModel: A scale is not positive and finite.
        InvalidOption: `batch` contradicts the model.
        UnsupportedModel: Ascend cannot say what the model says; the message names the node and why.
    """
    model = prepared(model, batch=batch)
    sink_pairs(model)
    warnings: list[str] = []
    _Deployment(model, layers(model, warnings), warnings).run()
    relax_clips(model)
    remove_unused(model)
    model.meta[WARNINGS_KEY] = warnings
    return model


class _Deployment:
    """A model being rewritten, in place."""

    def __init__(self, model: ir.Model, found: list[Layer], warnings: list[str]) -> None:
        self._model = model
        self._layers = found
        self._warnings = warnings
        self._names = Names(model)
        self._quants: dict[_Quantisation, ir.Value] = {}
        self._integers: dict[ir.Node, ir.Value] = {}
        self._constants: dict[ir.Value, list[ir.Value]] = {}

    def run(self) -> None:
        """Rewrite it."""
        callers: dict[_Quantisation, str] = {}
        for layer in self._layers:
            if (key := _quantised(layer.dequantize)) not in callers:
                callers[key] = self._names.fresh(f"{layer.name}.quant")
        nodes = list(self._model.graph.all_nodes())
        for node in nodes:
            if dequantizes(node) and activation(node) is not None:
                self._quantise(node, callers)
        for layer in self._layers:
            self._run_in_integers(layer)
        for node in nodes:
            if dequantizes(node) and (node.outputs[0].uses() or node.outputs[0].is_graph_output()):
                self._give_floats(node)
        remove_unused(self._model)
        self._name_constants()

    def _quantise(self, dequantize: ir.Node, callers: dict[_Quantisation, str]) -> None:
        """An AscendQuant in the place of a QuantizeLinear, unless its tensor has one already."""
        key = x, measured, _ = _quantised(dequantize)
        if key in self._quants:
            self._integers[dequantize] = self._quants[key]
            return
        quantize = activation(dequantize)
        assert quantize is not None and quantize.graph is not None
        if is_tiny(quantize):
            self._warnings.append(
                f"{title(quantize)}: the scale was raised to {SMALLEST_SCALE:.3g}, for Ascend knows none so small"
            )
        name = callers.get(key) or self._names.fresh(f"{x.name}.quant")
        attributes = _quantisation(np.float32(1) / measured.scale, measured.offset)
        node = _node(QUANT, name, [x], attributes, f"{name}.output0")
        quantize.graph.insert_before(quantize, node)
        self._quants[key] = self._integers[dequantize] = node.outputs[0]
        _describe(node.outputs[0], ir.DataType.INT8, x.shape)

    def _run_in_integers(self, layer: Layer) -> None:
        cube, end = layer.cube, layer.add or layer.cube
        cube.name = cube.name or layer.name
        quantised = self._integers[layer.dequantize]
        if layer.pad is not None:
            layer.pad.replace_input_with(0, quantised)
            self._pad_with(layer.pad, layer.step.offset)
        else:
            cube.replace_input_with(0, quantised)
        if layer.weight is not None:
            cube.replace_input_with(1, self._constant(layer.weight.source, layer.weight.integers))
            cube.attributes.pop("transB", None)
        if layer.bias is not None:
            place = next(i for i, value in enumerate(end.inputs) if value is layer.bias.value)
            end.replace_input_with(place, self._constant(layer.bias.source, layer.bias.integers))
        name = f"{layer.name}.dequant"
        words = self._initializer(f"{name}.param", pack(layer.deq_scale))
        result = end.outputs[0]
        dequantize = _node(DEQUANT, self._names.fresh(name), [result, words], [ir.AttrInt64("dtype", 0)])
        assert end.graph is not None
        end.graph.insert_after(end, dequantize)
        _take_over(result, dequantize.outputs[0])
        dequantize.replace_input_with(0, result)
        result.name = self._names.fresh(f"{name}.input0")
        for value in (result, cube.outputs[0]):
            value.type = ir.TensorType(ir.DataType.INT32)

    def _pad_with(self, pad: ir.Node, offset: int) -> None:
        """Zero is the offset, among integers."""
        pad.outputs[0].type = ir.TensorType(ir.DataType.INT8)
        pad.resize_inputs(max(len(pad.inputs), 3))
        pad.replace_input_with(2, self._initializer(f"{pad.name}.zero", np.array(offset, np.int8)))

    def _give_floats(self, dequantize: ir.Node) -> None:
        """What a DequantizeLinear gives to float operators."""
        old = dequantize.outputs[0]
        if activation(dequantize) is None:
            new = self._initializer(f"{old.name}.floats", floats_of(dequantize))
            _take_over(old, new)
            return
        measured, quantised = step(dequantize), self._integers[dequantize]
        maker = quantised.producer()
        assert maker is not None and maker.name is not None
        name = self._names.fresh(maker.name.replace(".quant", ".anti_quant"))
        node = _node(ANTI_QUANT, name, [quantised], _quantisation(measured.scale, measured.offset))
        assert dequantize.graph is not None
        dequantize.graph.insert_before(dequantize, node)
        _take_over(old, node.outputs[0])

    def _constant(self, source: ir.Value, numbers: NDArray[Any]) -> ir.Value:
        """An initialiser of `numbers`, which were made from `source`; the same for whoever needs the same."""
        made = self._constants.setdefault(source, [])
        for value in made:
            assert value.const_value is not None
            known = value.const_value.numpy()
            if known.dtype == numbers.dtype and np.array_equal(known, numbers):
                return value
        made.append(self._initializer(f"{source.name}.integers", numbers))
        return made[-1]

    def _initializer(self, wish: str, numbers: NDArray[Any]) -> ir.Value:
        name = self._names.fresh(wish)
        tensor = ir.Tensor(np.asarray(numbers, order="C"), name=name)
        value = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(numbers.shape), const_value=tensor)
        self._model.graph.register_initializer(value)
        return value

    def _name_constants(self) -> None:
        """Integers are called as the floats were, now that those are gone."""
        names = Names(self._model)
        for source, made in self._constants.items():
            for value in made:
                value.name = names.fresh((source.name or "constant").removesuffix("_quantized"))
                assert value.const_value is not None
                value.const_value.name = value.name


def remove_unused(model: ir.Model) -> None:
    """Remove nodes and initialisers that nothing uses."""
    for graph in [*model.graphs()][::-1]:
        for node in reversed([*graph]):
            if not any(value.uses() or value.is_graph_output() for value in node.outputs):
                graph.remove(node, safe=True)
    for graph in model.graphs():
        for name, value in [*graph.initializers.items()]:
            if not (value.uses() or value.is_graph_output() or value.is_graph_input()):
                del graph.initializers[name]


def _quantised(dequantize: ir.Node) -> _Quantisation:
    """What the pair of `dequantize` quantises, how, and where."""
    quantize = activation(dequantize)
    assert quantize is not None
    refuse_odd_pair(quantize, dequantize)
    x, graph = quantize.inputs[0], quantize.graph
    assert x is not None and isinstance(graph, ir.Graph)
    return x, step(dequantize), graph


def _quantisation(scale: np.float32, offset: int) -> list[ir.Attr]:
    return [
        ir.AttrFloat32("scale", float(scale)),
        ir.AttrFloat32("offset", float(offset)),
        ir.AttrString("dst_type", "INT8"),
    ]


def _node(
    op_type: str, name: str, inputs: list[ir.Value], attributes: list[ir.Attr], output: str | None = None
) -> ir.Node:
    return ir.Node("", op_type, inputs, attributes, name=name, outputs=[ir.Value(name=output)])


def _describe(value: ir.Value, dtype: ir.DataType | None, shape: ir.Shape | None) -> None:
    value.type = None if dtype is None else ir.TensorType(dtype)
    value.shape = shape


def _take_over(old: ir.Value, new: ir.Value) -> None:
    """Let `new` be what `old` was to everybody: in name, type, and as output of the graph."""
    name, dtype, shape = old.name, old.dtype, old.shape
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    old.name = None
    new.name = name
    _describe(new, dtype, shape)
