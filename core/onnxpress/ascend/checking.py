"""What must hold of a deploy model: prototypes of its operators, and whole layers from AscendQuant to AscendDequant.

Integers go from AscendQuant to operators that take integers, and nowhere else; such an operator has an int8 weight
and an int32 bias, and gives its accumulator to one AscendDequant, with one word for the tensor or for each channel.
Shapes are static, for ATC compiles no others once a model is quantised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.integer_types import write_types
from onnxpress.ascend.layers import Layer, array, is_op, layers, origin, output_channels, weight
from onnxpress.ascend.operators import ANTI_QUANT, DEQUANT, QUANT, WEIGHT_QUANT, unpack
from onnxpress.ascend.prototypes import CARRIERS, CUBES, OPSETS, PROTOTYPES, Attribute
from onnxpress.errors import InvalidModel
from onnxpress.verify import refuse, structural_breaches

_SMALLEST, _LARGEST = np.finfo(np.float32).tiny, np.finfo(np.float32).max


def check(model: ir.Model, *, name: str = "the model", static: bool = True) -> None:
    """Check a deploy model, and fill in its types and shapes: int8 behind AscendQuant, int32 behind operators on it.

    Args:
        model: The model.
        name: What an error calls it.
        static: Whether every dimension of an input must be fixed.

    Raises:
        InvalidModel: A rule is broken; the message starts with `name` and lists at most five breaches.
    """
    try:
        refuse([*structural_breaches(model), *_model_breaches(model), *(_dynamic_inputs(model) if static else ())])
        refuse([breach for node in model.graph.all_nodes() for breach in _node_breaches(node)])
        refuse([breach for node in model.graph.all_nodes() for breach in _layer_breaches(node)])
        write_types(model)
        refuse([breach for node in model.graph.all_nodes() for breach in _data_breaches(node)])
        refuse([breach for layer in layers(model) for breach in _channel_breaches(layer)])
    except InvalidModel as error:
        raise InvalidModel(f"{name} is not a valid deploy model: {error}") from error


def _model_breaches(model: ir.Model) -> Iterator[str]:
    opset = model.opset_imports.get("")
    if opset not in OPSETS:
        yield f"the opset is {opset}, but ATC reads {OPSETS.start} to {OPSETS.stop - 1}"
    for function in model.functions.values():
        yield f"function {function.name!r} of domain {function.domain!r} is not inlined"


def _dynamic_inputs(model: ir.Model) -> Iterator[str]:
    for value in model.graph.inputs:
        if value.shape is None or not all(isinstance(size, int) and size > 0 for size in value.shape):
            yield f"input {value.name!r} has shape {value.shape}, but ATC needs every dimension of it fixed"


def _node_breaches(node: ir.Node) -> Iterator[str]:
    """What is wrong with an operator of Ascend's by itself: inputs, types, attributes."""
    prototype = PROTOTYPES.get(node.op_type)
    if prototype is None:
        return
    if node.domain:
        yield f"{_title(node)} is of domain {node.domain!r}, but ATC knows it in ONNX's own"
        return
    if len(node.inputs) != len(prototype.inputs) or None in node.inputs:
        yield f"{_title(node)} has {len(node.inputs)} inputs, not {len(prototype.inputs)}"
        return
    if len(node.outputs) != 1:
        yield f"{_title(node)} has {len(node.outputs)} outputs, not 1"
    for value, types in zip(node.inputs, prototype.inputs, strict=True):
        if value is not None and value.const_value is not None and value.dtype not in types:
            yield f"{_title(node)}: {value.name!r} is {value.dtype}, not {' or '.join(map(str, types))}"
    for name in node.attributes:
        if name not in prototype.attributes:
            yield f"{_title(node)} has no attribute {name!r}; it takes {', '.join(prototype.attributes)}"
    yield from _attribute_breaches(node, prototype.attributes)
    if node.op_type == DEQUANT:
        yield from _word_breaches(node)
    if node.op_type == WEIGHT_QUANT and (_constant(node.inputs[1]) is None or array(node.inputs[1]).any()):
        yield f"{_title(node)}: the offset of weights must be a constant of zeros, for weights are symmetric"


def _attribute_breaches(node: ir.Node, expected: Mapping[str, Attribute]) -> Iterator[str]:
    for name, rule in expected.items():
        attribute = node.attributes.get(name)
        if attribute is None and rule.required:
            yield f"{_title(node)}: attribute {name!r} is missing; it must be {rule}"
        elif attribute is not None and not rule.takes(attribute):
            yield f"{_title(node)}: attribute {name!r} is {_shown(attribute)}; it must be {rule}"


def _word_breaches(node: ir.Node) -> Iterator[str]:
    words = _constant(node.inputs[1])
    if words is None or words.shape is None or len(words.shape) > 1:
        yield f"{_title(node)}: deq_scale must be a constant vector of UINT64"
    elif words.dtype == ir.DataType.UINT64:
        numbers = words.numpy().reshape(-1)
        if (numbers >> np.uint64(32)).any():
            yield f"{_title(node)}: deq_scale has a shift or an offset in its high words, which must be 0"
        scales = unpack(numbers)
        wrong = scales[~((scales >= _SMALLEST) & (scales <= _LARGEST))]
        if wrong.size:
            yield f"{_title(node)}: deq_scale holds {wrong[0]:g}, not a normal positive float32"


def _layer_breaches(node: ir.Node) -> Iterator[str]:
    """What is wrong between operators."""
    if is_op(node, QUANT, *CARRIERS) and _gives_integers(node):
        yield from _flow_breaches(node)
    elif is_op(node, *CUBES):
        yield from _cube_breaches(node)
    elif node.op_type == DEQUANT and _accumulating(node.inputs[0]) is None:
        yield f"{_title(node)}: {_name(node.inputs[0])} is not what {', '.join(CUBES)} gives, or Add behind MatMul"
    elif node.op_type == WEIGHT_QUANT and not _feeds_weights(node.outputs[0]):
        yield f"{_title(node)}: what it gives must be the weight of {', '.join(CUBES)}"
    elif node.op_type == ANTI_QUANT and not _holds_integers(node.inputs[0]):
        yield f"{_title(node)}: {_name(node.inputs[0])} does not come from {QUANT}"


def _flow_breaches(node: ir.Node) -> Iterator[str]:
    takers = (*CUBES, *CARRIERS, ANTI_QUANT)
    for output in node.outputs[:1]:
        if output.is_graph_output():
            yield f"{_title(node)}: its integers are an output of the graph"
        for use in output.uses():
            if not is_op(use.node, *takers) or use.idx:
                yield f"{_title(node)}: {_title(use.node)} does not take integers as input {use.idx}"


def _cube_breaches(node: ir.Node) -> Iterator[str]:
    """What is wrong with an operator whose data, weight or result are integers."""
    rule, kernel, accumulator = CUBES[node.op_type], weight(node), node.outputs[0]
    integer_weight = kernel is not None and _dtype(kernel) == ir.DataType.INT8
    dequantised = any(use.node.op_type == DEQUANT for use in accumulator.uses())
    if not _holds_integers(node.inputs[0]):
        if integer_weight or dequantised:
            yield f"{_title(node)}: its data {_name(node.inputs[0])} do not come from {QUANT}"
        return
    if rule.output_axis is not None:
        if _constant(kernel) is None or not integer_weight:
            yield f"{_title(node)}: its weight must be a constant of INT8"
            return
        assert kernel is not None and kernel.shape is not None
        if len(kernel.shape) not in rule.ranks:
            ranks = " or ".join(map(str, rule.ranks))
            yield f"{_title(node)}: its weight has {len(kernel.shape)} dimensions, not {ranks}"
            return
    yield from _attribute_breaches(node, rule.attributes)
    channels = output_channels(node, kernel)
    if rule.bias and len(node.inputs) > 2 and node.inputs[2] is not None:
        yield from _bias_breaches(node, node.inputs[2], channels)
    yield from _accumulator_breaches(node, channels)


def _accumulator_breaches(cube: ir.Node, channels: int) -> Iterator[str]:
    result = cube.outputs[0]
    users = [use.node for use in result.uses()]
    if cube.op_type == "MatMul" and len(users) == 1 and is_op(users[0], "Add") and not result.is_graph_output():
        (add,) = users
        yield from _bias_breaches(add, next((v for v in add.inputs if v is not result), None), channels)
        result = add.outputs[0]
        users = [use.node for use in result.uses()]
    if [user.op_type for user in users] != [DEQUANT] or result.is_graph_output():
        yield f"{_title(cube)}: its accumulator must go to one {DEQUANT} and nowhere else"
        return
    (dequant,) = users
    size = array(dequant.inputs[1]).size
    if size not in (1, channels):
        yield f"{_title(dequant)}: deq_scale has {size} words for {channels} channels; 1 or {channels} are right"


def _bias_breaches(node: ir.Node, bias: ir.Value | None, channels: int) -> Iterator[str]:
    constant = _constant(bias)
    if constant is None or constant.dtype != ir.DataType.INT32:
        yield f"{_title(node)}: its bias must be a constant of INT32"
    elif constant.size != channels:
        yield f"{_title(node)}: its bias has {constant.size} numbers for {channels} channels"


def _data_breaches(node: ir.Node) -> Iterator[str]:
    """Types of tensors, which are known once they are inferred."""
    types = PROTOTYPES[QUANT].inputs[0]
    if node.op_type == QUANT and (data := node.inputs[0]) is not None and data.dtype not in (*types, None):
        yield f"{_title(node)}: {_name(data)} is {data.dtype}, not {' or '.join(map(str, types))}"


def _channel_breaches(layer: Layer) -> Iterator[str]:
    """ONNX infers the shape of a convolution without a look at the channels of its data."""
    data, groups = layer.cube.inputs[0], layer.cube.attributes.get_int("group", 1)
    if not layer.cube.op_type.startswith("Conv") or data is None or data.shape is None:
        return
    if data.shape[1] != layer.input_channels:
        wanted = layer.input_channels
        yield f"{_title(layer.cube)}: its weight is for {wanted} channels, but the data have {data.shape[1]}"
    if layer.input_channels % groups or layer.output_channels % groups:
        yield f"{_title(layer.cube)}: its channels do not divide into {groups} groups"


def _accumulating(value: ir.Value | None) -> ir.Node | None:
    """The operator whose accumulator `value` is, a bias added perhaps."""
    node = value.producer() if value is not None else None
    if is_op(node, "Add"):
        assert node is not None
        producers = [used.producer() for used in node.inputs if used is not None]
        return next((producer for producer in producers if is_op(producer, "MatMul")), None)
    return node if is_op(node, *CUBES) else None


def _feeds_weights(value: ir.Value) -> bool:
    return not value.is_graph_output() and all(is_op(use.node, *CUBES) and use.idx == 1 for use in value.uses())


def _gives_integers(node: ir.Node) -> bool:
    return node.op_type == QUANT or _holds_integers(node.inputs[0])


def _holds_integers(value: ir.Value | None) -> bool:
    return value is not None and origin(value)[0] is not None


def _constant(value: ir.Value | None) -> ir.TensorProtocol | None:
    return None if value is None or value.is_graph_input() else value.const_value


def _dtype(value: ir.Value) -> ir.DataType | None:
    return value.const_value.dtype if value.const_value is not None else value.dtype


def _shown(attribute: ir.Attr) -> str:
    value = attribute.value
    return f"{value:g}" if isinstance(value, float) else f"{value!r}"


def _name(value: ir.Value | None) -> str:
    return repr(value.name) if value is not None else "nothing"


def _title(node: ir.Node) -> str:
    return f"node {node.name!r} ({node.op_type})"
