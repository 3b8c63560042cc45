"""From a TensorFlow function to ONNX, through tf2onnx's own stages: freeze, grappler, map, optimise.

Opset 17 is the best that tf2onnx writes: 18 defeats its GlobalAveragePool rewrite, 19 it refuses.  tf2onnx reports
success when it fails, and copies what it cannot map into the graph: the validity gate judges the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.mapping.compiled_calls import release_compiled_calls
from onnxpress_frontends.mapping.op_handlers import HANDLERS
from onnxpress_frontends.mapping.tf2onnx_optimizers import optimizers
from onnxpress_frontends.opening.named_function import NamedFunction
from onnxpress_frontends.tensorflow_import import import_tensorflow, quiet

if TYPE_CHECKING:
    import onnx

OPSET = 17


def to_onnx(source: NamedFunction) -> onnx.ModelProto:
    """Convert; inputs and outputs still carry TensorFlow's tensor names, e.g. ``image:0``.

    Raises:
        UnsupportedModel: An input has no known rank, or TensorFlow or tf2onnx fail altogether.
    """
    tf = import_tensorflow()
    shapeless = [endpoint.name for endpoint in source.inputs if endpoint.tensor.shape.rank is None]
    if shapeless:
        raise UnsupportedModel(f"input {shapeless[0]!r} of {source.title!r} has no known rank; give it a shape")
    inputs = [endpoint.tensor.name for endpoint in source.inputs]
    outputs = [endpoint.tensor.name for endpoint in source.outputs]
    try:
        with quiet(), tf.device("/cpu:0"):
            return _map(_freeze(source.function, inputs, outputs), inputs, outputs)
    except Exception as error:  # tf2onnx and TensorFlow raise anything, asserts included
        raise UnsupportedModel(f"{source.title!r} cannot be converted to ONNX: {first_line(error)}") from error


def _freeze(function: Any, inputs: list[str], outputs: list[str]) -> Any:
    import tensorflow as tf
    from tf2onnx import tf_loader

    graph = tf_loader.from_function(function, inputs, outputs)
    if not release_compiled_calls(graph):
        return graph
    with tf.Graph().as_default():
        tf.import_graph_def(graph, name="")
        return tf_loader.tf_optimize(inputs, outputs, graph)


def _map(graph: Any, inputs: list[str], outputs: list[str]) -> onnx.ModelProto:
    import tensorflow as tf
    from tf2onnx import optimizer, tfonnx, utils

    utils.INTERNAL_NAME = 1  # its counter for new names: a second conversion must give the same names as the first
    with tf.Graph().as_default() as tf_graph:
        tf.import_graph_def(graph, name="")
        mapped = tfonnx.process_tf_graph(
            tf_graph,
            continue_on_error=True,
            opset=OPSET,
            custom_op_handlers=dict(HANDLERS),
            input_names=inputs,
            output_names=outputs,
        )
        optimized = optimizer.optimize_graph(mapped, optimizers=optimizers())
        proto: onnx.ModelProto = optimized.make_model("converted from TensorFlow")
        return proto
