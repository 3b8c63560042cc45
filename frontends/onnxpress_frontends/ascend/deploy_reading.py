"""A deploy model becomes a model with QuantizeLinear and DequantizeLinear that computes the same.

    AscendQuant                      QuantizeLinear -> DequantizeLinear         step 1 / scale, zero point = offset
    int8 weight, int32 bias          the same integers, each before a DequantizeLinear
    AscendDequant                    nothing: the operator gives floats; Relu behind it for relu_flag
    AscendQuant -> AscendAntiQuant   QuantizeLinear -> DequantizeLinear

Scales of weights are those whose products with the step are the words of AscendDequant (`steps`).  A Pad on integers
pads with zeros of the data, that is with the offset.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from onnxpress import opset
from onnxpress.ascend.checking import check
from onnxpress.ascend.constant_weights import settle_constants
from onnxpress.ascend.layers import Layer, is_op, layers, origin, stored_scale
from onnxpress.ascend.operators import ANTI_QUANT, OPERATORS, QUANT, WEIGHT_QUANT
from onnxpress.ascend.prototypes import CARRIERS
from onnxpress.errors import UnsupportedModel
from onnxpress.quantize import dequantize
from onnxpress.rewiring import replace_uses
from onnxpress_frontends.ascend.integer_constants import IntegerConstants
from onnxpress_frontends.ascend.parts import Parts
from onnxpress_frontends.ascend.steps import step_of, weight_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OPSET = 13
"""The first with scales per channel."""

_ELSEWHERE = "onnxpress.ascend"
_FAR = 1e-6

_AMCT = ".output0"
"""How AMCT's own names of tensors end; the operator in front then has the name that the user knows."""


def read_deploy(model: ir.Model, *, name: str = "the model") -> list[str]:
    """Replace Ascend's operators in `model`, in place.

    Returns:
        Sentences on what could not be said exactly.

    Raises:
        InvalidModel: The model breaks the rules of Ascend's operators.
        UnsupportedModel: It says something that QuantizeLinear and DequantizeLinear cannot say.
    """
    settle_constants(model)
    check(model, name=name, static=False)
    with _set_aside(model):
        opset.at_least(model, _OPSET)
    return _Reading(model).run()


@contextmanager
def _set_aside(model: ir.Model) -> Iterator[None]:
    """Ascend's operators in a domain of their own, which ONNX's converter passes over."""
    for node in model.graph.all_nodes():
        node.domain = _ELSEWHERE if node.op_type in OPERATORS and not node.domain else node.domain
    model.opset_imports[_ELSEWHERE] = 1
    try:
        yield
    finally:
        del model.opset_imports[_ELSEWHERE]
        for node in model.graph.all_nodes():
            node.domain = "" if node.domain == _ELSEWHERE else node.domain


class _Reading:
    """One model being read."""

    def __init__(self, model: ir.Model) -> None:
        self._model = model
        self._parts = Parts(model)
        self._constants = IntegerConstants(self._parts)
        self._layers = list(layers(model))
        self._returns = [node for node in model.graph.all_nodes() if node.op_type == ANTI_QUANT]
        self._rounded: list[str] = []

    def run(self) -> list[str]:
        """Replace the operators, layers first, while AscendQuant still says what they compute on."""
        quants = [node for node in self._model.graph.all_nodes() if node.op_type == QUANT]
        steps = {quant: self._step(quant) for quant in quants}
        for layer in self._layers:
            self._read_constants(layer, steps[layer.quant])
        for node in self._returns:
            self._check_return(node, steps)
        for layer in self._layers:
            self._read_dequant(layer)
        for quant in quants:
            self._read_quant(quant, steps[quant])
        for node in self._returns:
            self._read_return(node)
        self._drop_leftovers()
        return self._warnings()

    def _step(self, quant: ir.Node) -> np.float32:
        mine = [layer for layer in self._layers if layer.quant is quant]
        products = [layer.deq_scale for layer in mine if layer.weight is not None]
        said = [layer.deq_scale[0] for layer in mine if layer.weight is None]
        said += [stored_scale(node) for node in self._returns if node.inputs[0] and origin(node.inputs[0])[0] is quant]
        return step_of(stored_scale(quant), products, said)

    def _read_constants(self, layer: Layer, step: np.float32) -> None:
        if layer.weight is None:
            if abs(layer.deq_scale[0] / step - 1) > _FAR:
                raise UnsupportedModel(
                    f"node {layer.dequant.name!r} (AscendDequant) multiplies by {layer.deq_scale[0]:g} what a pooling "
                    f"gives on a step of {step:g}; ONNX has no name for another step behind a pooling than before it"
                )
            return
        scales, exact = weight_steps(step, layer.deq_scale)
        if not ((scales >= np.finfo(np.float32).tiny) & np.isfinite(scales)).all():
            raise UnsupportedModel(
                f"node {layer.dequant.name!r} (AscendDequant) and {layer.quant.name!r} (AscendQuant) together give "
                "the weights a scale that float32 does not hold"
            )
        if not exact.all():
            self._rounded.append(layer.cube.name or "")
        layer.cube.replace_input_with(1, self._constants.weight(layer, scales))
        if layer.bias is not None:
            holder = layer.add or layer.cube
            bias = self._constants.bias(layer, scales * step)
            holder.replace_input_with(list(holder.inputs).index(layer.bias), bias)

    def _check_return(self, node: ir.Node, steps: dict[ir.Node, np.float32]) -> None:
        assert node.inputs[0] is not None
        quant = origin(node.inputs[0])[0]
        assert quant is not None
        offset = node.attributes["offset"].as_float()
        if abs(stored_scale(node) / steps[quant] - 1) > _FAR or offset != quant.attributes["offset"].as_float():
            raise UnsupportedModel(
                f"node {node.name!r} (AscendAntiQuant) has another step or offset than {quant.name!r} (AscendQuant), "
                "which no pair of QuantizeLinear and DequantizeLinear has"
            )

    def _read_return(self, node: ir.Node) -> None:
        value = node.inputs[0]
        assert value is not None
        if node.attributes.get_int("dtype", 0):
            value = self._insert(node, "Cast", value, to=ir.DataType.FLOAT16.value)
        self._replace(node, value)

    def _read_dequant(self, layer: Layer) -> None:
        end, dequant = (layer.add or layer.cube).outputs[0], layer.dequant
        for value in (layer.cube.outputs[0], end):
            value.type = ir.TensorType(ir.DataType.FLOAT)
        result = end
        if dequant.attributes.get_int("relu_flag", 0):
            result = self._insert(dequant, "Relu", result)
        if dequant.attributes.get_int("dtype", 0):
            result = self._insert(dequant, "Cast", result, to=ir.DataType.FLOAT16.value)
        self._replace(dequant, result, keep_name=not (dequant.outputs[0].name or "").endswith(_AMCT))

    def _read_quant(self, quant: ir.Node, step: np.float32) -> None:
        value, graph = quant.inputs[0], quant.graph
        assert value is not None and isinstance(graph, ir.Graph)
        source = value.name
        if value.dtype == ir.DataType.FLOAT16:
            value = self._insert(quant, "Cast", value, to=ir.DataType.FLOAT.value)
        offset = np.array(quant.attributes["offset"].as_float(), np.int8)
        scale = self._parts.initializer(graph, f"{source}_scale", ir.tensor(np.array(step)))
        zero_point = self._parts.initializer(graph, f"{source}_zero_point", ir.tensor(offset))
        integers = self._insert(quant, "QuantizeLinear", value, scale, zero_point)
        integers.type = ir.TensorType(ir.DataType.INT8)
        result = self._insert(quant, "DequantizeLinear", integers, scale, zero_point, like=source)
        self._carry_floats(quant.outputs[0], offset, step)
        self._replace(quant, result)

    def _carry_floats(self, value: ir.Value, offset: NDArray[np.int8], step: np.float32) -> None:
        """What moved integers now moves floats, and pads with floats."""
        for node, _ in value.uses():
            if is_op(node, *CARRIERS):
                node.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
                self._carry_floats(node.outputs[0], offset, step)
                filler = node.inputs[2] if node.op_type == "Pad" and len(node.inputs) > 2 else None
                if filler is not None and filler.const_value is not None and filler.dtype == ir.DataType.INT8:
                    numbers = dequantize(filler.const_value.numpy(), step, offset)
                    assert isinstance(node.graph, ir.Graph)
                    floats = self._parts.initializer(node.graph, f"{filler.name}_dequantized", ir.tensor(numbers))
                    node.replace_input_with(2, floats)

    def _insert(
        self, before: ir.Node, op: str, value: ir.Value, *others: ir.Value, like: str | None = None, **attributes: int
    ) -> ir.Value:
        node = self._parts.node(op, f"{like or value.name}_{op}", [value, *others], **attributes)
        assert before.graph is not None
        before.graph.insert_before(before, node)
        output, half = node.outputs[0], attributes.get("to") == ir.DataType.FLOAT16.value
        output.type = ir.TensorType(ir.DataType.FLOAT16 if half else ir.DataType.FLOAT)
        output.shape = value.shape
        return output

    def _replace(self, node: ir.Node, value: ir.Value, *, keep_name: bool = False) -> None:
        """Let `value` be what `node` gave, under that name where it says something, and drop the node."""
        old, graph, seen = node.outputs[0], node.graph, node.outputs[0].is_graph_output()
        assert graph is not None
        if not replace_uses(old, value):  # both are outputs of the graph
            node.op_type = "Identity"
            node.attributes.clear()
            node.replace_input_with(0, value)
            return
        if keep_name and not seen:
            name, old.name = old.name, None
            value.name = name
        graph.remove(node, safe=True)

    def _drop_leftovers(self) -> None:
        for node in list(self._model.graph.all_nodes()):
            if node.op_type == WEIGHT_QUANT and node.graph is not None:
                node.graph.remove(node, safe=True)
        for graph in self._model.graphs():
            for name, value in list(graph.initializers.items()):
                if not value.uses() and not value.is_graph_output() and not value.is_graph_input():
                    del graph.initializers[name]

    def _warnings(self) -> list[str]:
        if not self._rounded:
            return []
        return [
            f"no float32 scale of the weights gives exactly the words of AscendDequant behind {len(self._rounded)} "
            f"layers ({', '.join(self._rounded[:3])}{', ...' if len(self._rounded) > 3 else ''}); "
            "the nearest stand, one unit in the last place off"
        ]
