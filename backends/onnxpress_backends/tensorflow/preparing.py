"""From any ONNX model to a TensorFlow graph: functions inlined, shapes inferred, every node lowered by its rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxpress_backends.tensorflow.graphs.graph import Graph
from onnxpress_backends.tensorflow.quantization.simulation import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx_ir as ir

    from onnxpress_backends.tensorflow.call import Rule

OLDEST = 11
"""The opset that rules know at least; ONNX raises older models to it."""


def lowered(
    model: ir.Model,
    *,
    mode: Mode = "fake-quant",
    nhwc: bool = False,
    training: bool = False,
    special: Mapping[str, Rule] | None = None,
) -> Graph:
    """`model` as a TensorFlow graph; it is not changed.

    Args:
        model: The model.
        mode: What becomes of QuantizeLinear and DequantizeLinear.
        nhwc: Inputs and outputs of rank 4 and 5 have their channels last.
        training: BatchNormalization uses the moments of the batch.
        special: Rules that take the place of those for TensorFlow.

    Raises:
        UnsupportedModel: A node cannot go to TensorFlow; the message names it.
    """
    from onnxpress.opset import at_least
    from onnxpress_backends.tensorflow.expanding import expand
    from onnxpress_backends.tensorflow.inner_constants import bring_inside
    from onnxpress_backends.tensorflow.lowering import Settings, lower
    from onnxpress_backends.tensorflow.quantization.neighbouring_pairs import join_pairs
    from onnxpress_backends.tensorflow.quantization.weight_quantization import quantize_weights
    from onnxpress_backends.tensorflow.rules import rules
    from onnxpress_backends.tensorflow.shapes import loop_shapes

    known = rules() | dict(special or {})
    model = model.clone()
    at_least(model, OLDEST)
    model = expand(model, known)
    join_pairs(model)
    bring_inside(model)
    loop_shapes.infer(model)
    settings = Settings(mode=mode, nhwc=nhwc, training=training, rules=known, opsets=dict(model.opset_imports))
    graph = lower(model, settings)
    if mode == "quantize-weights":
        quantize_weights(graph)
    return graph
