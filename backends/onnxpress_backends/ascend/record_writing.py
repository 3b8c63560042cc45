"""AMCT's record file from a quantised model: the backend ``amct-record``, which `apply-record` and AMCT itself read.

A layer in integers gives an entry under its name; a pair of QuantizeLinear and DequantizeLinear in front of anything
else gives one for that input, under ``"name:index"``.  Where BatchNormalization was left behind a layer, its entry says
``skip_fusion``, since the scales are those of the unfolded weight.

A record holds scales and nothing else: whoever applies it rounds weights to the nearest integer and keeps biases.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress.kinds import WARNINGS_KEY, Backend

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress.ascend.record_files import LayerRecord
    from onnxpress_backends.ascend.layers import Layer

_TENSOR_OPERATORS = ("Add", "MaxPool")
"""Those of which AMCT quantises single inputs."""


def emit(model: ir.Model, path: Path) -> list[Path]:
    """Write the scales of `model` to `path`, atomically.

    Args:
        model: A quantised model; only its `meta` is changed, by what the user must know.
        path: Where the file goes.

    Returns:
        The file.

    Raises:
        InvalidModel: A scale is not positive and finite.
        UnsupportedModel: Nothing is quantised, or a layer is quantised as Ascend cannot say it.
        OnnxpressError: The place cannot be written.
    """
    from onnxpress.ascend import record_files

    warnings: list[str] = []
    record_files.save(recorded(model, warnings), path)
    model.meta[WARNINGS_KEY] = warnings
    return [path]


def recorded(model: ir.Model, warnings: list[str]) -> dict[str, LayerRecord]:
    """The entries for `model` by key, in the order of its graph.

    Args:
        model: A quantised model; it is not changed.
        warnings: Takes a sentence for whatever the user must know.

    Raises:
        InvalidModel, UnsupportedModel: As `emit`.
    """
    from onnxpress.errors import UnsupportedModel
    from onnxpress_backends.ascend.layers import layers

    found = {layer.cube: layer for layer in layers(model, warnings)}
    inside = {layer.pad for layer in found.values()}
    records: dict[str, LayerRecord] = {}
    for node in model.graph.all_nodes():
        if node in found:
            records[found[node].name] = _layer(found[node])
        elif node not in inside:
            records.update(_inputs(node, warnings))
    if not records:
        raise UnsupportedModel(
            "the model has no integers to record; quantise it first, with `onnxpress calibrate` or compress --target ascend"
        )
    return records


def _layer(layer: Layer) -> LayerRecord:
    from onnxpress.ascend.record_files import LayerRecord

    end = layer.add or layer.cube
    return LayerRecord(
        scale_d=float(layer.step.scale),
        offset_d=layer.step.offset,
        scale_w=() if layer.weight is None else tuple(layer.weight.scales.tolist()),
        skip_fusion=any(use.node.op_type == "BatchNormalization" for use in end.outputs[0].uses()),
    )


def _inputs(node: ir.Node, warnings: list[str]) -> dict[str, LayerRecord]:
    """The entries for what a node without integers of its own reads behind a pair."""
    from onnxpress.ascend.record_files import LayerRecord
    from onnxpress_backends.ascend.layers import activation
    from onnxpress_backends.ascend.steps import dequantizes, name_of, step, title

    records = {}
    for index, value in enumerate(node.inputs):
        maker = value.producer() if value is not None else None
        if maker is None or not dequantizes(maker) or activation(maker) is None:
            continue
        measured = step(maker)
        records[f"{name_of(node)}:{index}"] = LayerRecord(scale_d=float(measured.scale), offset_d=measured.offset)
        if node.op_type not in _TENSOR_OPERATORS:
            warnings.append(
                f"the record has scales for input {index} of {title(node)}, which AMCT itself does not quantise"
            )
    return records


AMCT_RECORD = Backend(
    name="amct-record",
    summary="Record files of AMCT: the scales of a quantised model as protobuf text",
    emit=emit,
    suffixes=(".record",),
)
