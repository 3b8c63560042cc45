"""A deploy model in standard operators that compute, to the bit, what a profile says of Ascend's.

Values keep their names: behind AscendQuant stands int8, behind an operator on integers int32 (the mean of a pooling is
float32), behind AscendDequant floating point, so that each can be asked for.  What a layer that is rolled back had in
between is gone.  An accumulator that can leave 32 bits brings an output of its own, ``<operator>.overflows``: how many
did.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress import opset
from onnxpress.ascend.checking import check
from onnxpress.ascend.layers import Layer, layers, origin
from onnxpress.ascend.operators import ANTI_QUANT, OPERATORS, QUANT
from onnxpress.ascend.simulation.accumulating import accumulator
from onnxpress.ascend.simulation.conversions import dequantised, quantised, returned
from onnxpress.ascend.simulation.half_storage import store_halves
from onnxpress.ascend.simulation.node_writing import NodeWriter, supersede
from onnxpress.ascend.simulation.profiles import Profile
from onnxpress.ascend.simulation.rolling_back import is_rolled_back, rolled_back
from onnxpress.errors import UnsupportedModel
from onnxpress.verify import verify

_OPSET = 13
"""The lowest opset of the operators that are written."""

_ASIDE = "onnxpress.ascend"
"""Where Ascend's operators stand while ONNX raises the opset of the others."""

OVERFLOWS = ".overflows"
"""What the name of an output that counts overflows ends in."""


def integer_form(model: ir.Model, profile: Profile) -> ir.Model:
    """A copy of a deploy model in standard operators.

    Args:
        model: A deploy model.
        profile: Whose arithmetic.

    Returns:
        The same inputs and outputs, and the counts of overflows.  Values that only a probe reads hang loose.

    Raises:
        InvalidModel: The model breaks a rule of deploy models.
        UnsupportedModel: Its opset cannot be raised, or a layer of a subgraph can overflow, which nothing could tell.
    """
    form = model.clone()
    check(form)
    if _raise_opset(form):
        check(form)
    found, sources = list(layers(form)), _sources(form)
    carriers = [(carrier, layer.quant) for layer in found for carrier in layer.carriers]
    carriers += [(carrier, quant) for quant, between in sources.values() for carrier in between]
    writer = NodeWriter(form)
    for quant in [node for node in form.graph.all_nodes() if node.op_type == QUANT and not node.domain]:
        _quantise(writer, quant, profile)
    for carrier, quant in carriers:
        _carry(carrier, quant)
    for layer in found:
        _compute(form, writer, layer, profile)
    for node, (quant, _) in sources.items():
        _return(writer, node, quant, profile)
    _remove(form, found)
    if profile.half:
        store_halves(form, writer)
    verify(form)
    return form


def _raise_opset(form: ir.Model) -> bool:
    """Raise the opset; ONNX's converter leaves operators of other domains alone."""
    own = [node.name for node in form.graph.all_nodes() if node.op_type in OPERATORS and not node.domain]
    _move(form, own, _ASIDE)
    form.opset_imports[_ASIDE] = 1
    raised = opset.at_least(form, _OPSET)
    _move(form, own, "")
    del form.opset_imports[_ASIDE]
    return raised


def _move(form: ir.Model, names: list[str | None], domain: str) -> None:
    for node in form.graph.all_nodes():
        if node.name in names:
            node.domain = domain


def _sources(form: ir.Model) -> dict[ir.Node, tuple[ir.Node, tuple[ir.Node, ...]]]:
    """Every AscendAntiQuant with the AscendQuant of its integers, and what carries them from there."""
    found = {}
    for node in form.graph.all_nodes():
        if node.op_type == ANTI_QUANT and not node.domain and node.inputs[0] is not None:
            quant, carriers = origin(node.inputs[0])
            assert quant is not None  # checked
            found[node] = quant, carriers
    return found


def _quantise(writer: NodeWriter, quant: ir.Node, profile: Profile) -> None:
    writer.move(quant)
    integers, carried = quantised(writer, quant, profile)
    name, old = quant.outputs[0].name, quant.outputs[0]
    old.replace_all_uses_with(carried)
    old.name, integers.name = None, name


def _carry(carrier: ir.Node, quant: ir.Node) -> None:
    """Let an operator that moves integers move them without their offset, in float32, where padding is zero.

    AMCT leaves the zero of the float model where it is, others write the integer that stands for it.
    """
    carrier.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    if carrier.op_type != "Pad" or len(carrier.inputs) < 3 or carrier.inputs[2] is None:
        return
    filling = carrier.inputs[2].const_value
    if filling is None or filling.numpy().item() not in (0, quant.attributes["offset"].as_float()):
        raise UnsupportedModel(f"Pad {carrier.name!r} fills with another number than zero, which no layer can take")
    carrier.replace_input_with(2, None)


def _compute(form: ir.Model, writer: NodeWriter, layer: Layer, profile: Profile) -> None:
    writer.move(layer.dequant, layer.cube.name)
    if profile.rolls_back and is_rolled_back(layer):
        supersede(layer.dequant.outputs[0], rolled_back(writer, layer))
        return
    data = layer.cube.inputs[0]
    assert data is not None
    sums = accumulator(writer, layer, data)
    supersede(layer.dequant.outputs[0], dequantised(writer, layer, sums.floats, profile))
    supersede(layer.cube.outputs[0], sums.before_bias)
    if layer.add is not None:
        supersede(layer.add.outputs[0], sums.integers)
    if sums.overflows is not None:
        if layer.dequant.graph is not form.graph:
            raise UnsupportedModel(f"accumulators of {layer.cube.name!r} can leave 32 bits, untold inside a subgraph")
        sums.overflows.name = writer.names.fresh(f"{layer.cube.name}{OVERFLOWS}")
        sums.overflows.shape = ir.Shape([])
        form.graph.outputs.append(sums.overflows)


def _return(writer: NodeWriter, node: ir.Node, quant: ir.Node, profile: Profile) -> None:
    writer.move(node)
    integers, difference = node.inputs[0], quant.attributes["offset"].as_float() - node.attributes["offset"].as_float()
    assert integers is not None
    if difference:
        integers = writer.op("Add", integers, np.float32(difference))
    supersede(node.outputs[0], returned(writer, node, integers, profile))


def _remove(form: ir.Model, found: list[Layer]) -> None:
    gone = {node for node in form.graph.all_nodes() if node.op_type in OPERATORS and not node.domain}
    gone.update(node for layer in found for node in (layer.cube, layer.add) if node is not None)
    for node in reversed([node for node in form.graph.all_nodes() if node in gone]):
        assert node.graph is not None
        node.graph.remove(node, safe=True)
