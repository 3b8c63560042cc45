"""The entries of a record for a quantised model, from which `apply-record` and AMCT itself make the same integers.

A layer in integers gives an entry under its name in the graph that the user gave; a pair of QuantizeLinear and
DequantizeLinear in front of anything else gives one for that input, under ``"name:index"``.  Where BatchNormalization
or arithmetic with a constant is left behind a layer, its entry says ``skip_fusion``, since the scales are those of the
unfolded weight.  Factors that came from a record go back into it.

A record holds scales and nothing else: whoever applies it rounds weights to the nearest integer and keeps biases.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from onnxpress.ascend.record_files import LayerRecord
from onnxpress.errors import UnsupportedModel
from onnxpress.kinds import SOURCE_NAME_KEY
from onnxpress_backends.ascend.layers import Layer, layers
from onnxpress_backends.ascend.moving import constant
from onnxpress_backends.ascend.sinking import sink_pairs
from onnxpress_backends.ascend.steps import dequantizes, name_of, step, title
from onnxpress_backends.ascend.stored_integers import activation

_TENSOR_OPERATORS = ("Add", "MaxPool")
"""Those of which AMCT quantises single inputs."""


def recorded(model: ir.Model, warnings: list[str]) -> dict[str, LayerRecord]:
    """The entries for `model` by key, in the order of its graph.

    Args:
        model: A quantised model; it is not changed.
        warnings: Takes a sentence for whatever the user must know.

    Raises:
        InvalidModel: A scale is not positive and finite.
        UnsupportedModel: Nothing is quantised, or a layer is quantised as Ascend cannot say it.
    """
    model = model.clone()
    sink_pairs(model)
    found = {layer.cube: layer for layer in layers(model, warnings)}
    inside = {layer.pad for layer in found.values()}
    records: dict[str, LayerRecord] = {}
    for node in model.graph.all_nodes():
        if node in found:
            records[_key(node)] = _of_layer(found[node])
        elif node not in inside:
            records.update(_of_inputs(node, warnings))
    warnings += [
        f"output {output.name!r} is rounded to integers in the model, which a record cannot say"
        for output in model.graph.outputs
        if _computed_pair(output) is not None
    ]
    if not records:
        raise UnsupportedModel(
            "the model has no integers to record; recipe int8 with target ascend quantises it, or, without --out, "
            "tells why each layer stays float"
        )
    return records


def _key(node: ir.Node) -> str:
    """The name of a node in the graph that the user gave."""
    return str(node.meta.get(SOURCE_NAME_KEY, name_of(node)))


def _of_layer(layer: Layer) -> LayerRecord:
    end = layer.add or layer.cube
    return LayerRecord(
        scale_d=float(layer.step.scale),
        offset_d=layer.step.offset,
        scale_w=() if layer.weight is None else tuple(layer.weight.scales.tolist()),
        balance=_balance(layer),
        skip_fusion=any(_might_be_folded(use.node) for use in end.outputs[0].uses()),
    )


def _balance(layer: Layer) -> tuple[float, ...]:
    """The factors by which `apply-record` divided the input of the layer, from the Mul that it put there."""
    quantize = activation(layer.dequantize)
    source = quantize.inputs[0].producer() if quantize is not None and quantize.inputs[0] is not None else None
    if source is None or source.op_type != "Mul" or source.name != f"{layer.name}.mul":
        return ()
    reciprocals = constant(source.inputs[1])
    return () if reciprocals is None else tuple((1 / reciprocals.reshape(-1)).tolist())


def _might_be_folded(node: ir.Node) -> bool:
    arithmetic = node.op_type in ("Add", "Div", "Mul", "Sub") and any(
        constant(value) is not None for value in node.inputs
    )
    return node.op_type == "BatchNormalization" or arithmetic


def _of_inputs(node: ir.Node, warnings: list[str]) -> Iterator[tuple[str, LayerRecord]]:
    """What a node without integers of its own reads behind pairs."""
    for index, value in enumerate(node.inputs):
        maker = _computed_pair(value)
        if maker is None:
            continue
        measured = step(maker)
        yield f"{_key(node)}:{index}", LayerRecord(scale_d=float(measured.scale), offset_d=measured.offset)
        if node.op_type not in _TENSOR_OPERATORS:
            warnings.append(f"input {index} of {title(node)} is in the record, and AMCT itself does not quantise that")


def _computed_pair(value: ir.Value | None) -> ir.Node | None:
    """The DequantizeLinear that makes `value` of a computed tensor; None for a constant, and for anything else."""
    maker = value.producer() if value is not None else None
    return maker if maker is not None and dequantizes(maker) and activation(maker) is not None else None
