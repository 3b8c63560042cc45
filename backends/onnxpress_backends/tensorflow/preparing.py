"""From any ONNX model to a TensorFlow graph: functions inlined, shapes inferred, every node lowered by its rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxpress_backends.tensorflow.graph import Graph
from onnxpress_backends.tensorflow.simulation import Mode

if TYPE_CHECKING:
    import onnx_ir as ir


def lowered(model: ir.Model, *, mode: Mode = "fake-quant", nhwc: bool = False, training: bool = False) -> Graph:
    """`model` as a TensorFlow graph; it is not changed.

    Args:
        model: The model.
        mode: What becomes of QuantizeLinear and DequantizeLinear.
        nhwc: Inputs and outputs of rank 4 and 5 have their channels last.
        training: BatchNormalization uses the moments of the batch.

    Raises:
        UnsupportedModel: A node cannot go to TensorFlow; the message names it.
    """
    from onnxpress.verify import infer_shapes
    from onnxpress_backends.tensorflow.expanding import expand
    from onnxpress_backends.tensorflow.lowering import Settings, lower
    from onnxpress_backends.tensorflow.rules import rules

    known = rules()
    model = expand(model.clone(), known)
    infer_shapes(model)
    settings = Settings(mode=mode, nhwc=nhwc, training=training, rules=known, opsets=dict(model.opset_imports))
    return lower(model, settings)
