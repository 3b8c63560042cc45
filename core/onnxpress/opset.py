"""Raising a model's opset: one function for every pass that needs a later operator.

The conversion is ONNX's own.  It sees a copy without the weights, so that models over 2 GB convert too, and what
calibration wrote into values is carried over by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import onnx_ir as ir

from onnxpress.errors import UnsupportedModel, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import onnx

_SMALL = 1024
"""Bytes up to which initialisers take part: the converter reads shapes and axes, and writes them."""


_SCAN = 9
"""The opset at which Scan lost its batch; ONNX's converter drops the batch of the inputs."""

_RESIZE = 11
"""The opset at which Resize learnt where its elements are, with another default than before."""


def at_least(model: ir.Model, version: int) -> bool:
    """Raise `model` to opset `version` of the default domain, in place, unless it is there already.

    Args:
        model: The model; names, weights and metadata stay.  Its graph becomes a new object.
        version: The lowest opset that will do.

    Returns:
        Whether it had to be raised.

    Raises:
        UnsupportedModel: ONNX cannot convert it; the message says why.
    """
    import onnx

    current = model.opset_imports.get("", version)
    if current >= version:
        return False
    if model.functions:
        raise UnsupportedModel(
            f"the model is at opset {current} and ONNX cannot raise a model with functions to {version}; "
            f"inline them (the pass clean-up does) or export it at opset {version}"
        )
    if current < _SCAN and any(node.op_type == "Scan" for node in model.graph.all_nodes()):
        raise UnsupportedModel(
            f"the model is at opset {current} and ONNX converts a Scan of before opset {_SCAN} wrongly; "
            f"export it at opset {version}"
        )
    try:
        through_proto(model, lambda proto: onnx.version_converter.convert_version(proto, version))
    except Exception as error:  # the C++ binding raises whatever its adapters raise
        raise UnsupportedModel(
            f"the model is at opset {current} and cannot be raised to {version}: {reason(error)}; "
            f"export it at opset {version}"
        ) from error
    if current < _RESIZE <= version:
        _keep_coordinates(model)
    return True


def _keep_coordinates(model: ir.Model) -> None:
    """Say what Upsample and the first Resize did without saying so; ONNX's converter forgets it."""
    for node in model.graph.all_nodes():
        if node.op_type == "Resize" and node.domain == "":
            node.attributes.add(ir.AttrString("coordinate_transformation_mode", "asymmetric"))
            node.attributes.add(ir.AttrString("nearest_mode", "floor"))


def through_proto(model: ir.Model, change: Callable[[onnx.ModelProto], onnx.ModelProto]) -> None:
    """Let a tool of ONNX's change the graph of `model`, in place; it sees a copy without the weights.

    Args:
        model: The model; names, weights and metadata stay.  Its graph becomes a new object.
        change: Takes the copy, gives the new model; keeps the initialisers that it does not see the data of.
    """
    skeleton = model.clone()
    weights = _take_weights(skeleton)
    converted = ir.serde.deserialize_model(change(ir.serde.serialize_model(skeleton)))
    _restore(converted, model, weights)
    model.graph = converted.graph
    model.functions.clear()
    model.functions.update(converted.functions)
    model.opset_imports.update(converted.opset_imports)


def _take_weights(model: ir.Model) -> dict[str, ir.TensorProtocol]:
    weights: dict[str, ir.TensorProtocol] = {}
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is not None and tensor.nbytes > _SMALL:
            weights[name] = tensor
            value.const_value = ir.ExternalTensor(
                "absent", 0, tensor.nbytes, tensor.dtype, shape=ir.Shape(cast(Any, tensor.shape)), name=name
            )
    return weights


def _restore(converted: ir.Model, source: ir.Model, weights: dict[str, ir.TensorProtocol]) -> None:
    for name, tensor in weights.items():
        converted.graph.initializers[name].const_value = tensor
    before = {value.name: value for value in _values(source) if value.meta}
    for value in _values(converted):
        if value.name in before:
            value.meta.update(before[value.name].meta)


def _values(model: ir.Model) -> Iterator[ir.Value]:
    yield from model.graph.inputs
    for node in model.graph.all_nodes():
        yield from node.outputs
