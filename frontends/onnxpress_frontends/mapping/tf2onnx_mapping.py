"""From a TensorFlow function to ONNX, through tf2onnx's own stages and none of its copies.

Prepare the graph, map it, optimise, bind the weights that stood outside.  Opset 17 is the best that
tf2onnx writes: 18 defeats its GlobalAveragePool rewrite, 19 it refuses.  tf2onnx reports success when it fails, and
copies what it cannot map into the graph: the validity gate judges the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnxpress import model_files
from onnxpress.errors import OnnxpressError, UnsupportedModel
from onnxpress.kinds import WARNINGS_KEY
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.mapping.foreign_ops import refuse_foreign
from onnxpress_frontends.mapping.freezing import Frozen
from onnxpress_frontends.mapping.function_graphs import map_graph
from onnxpress_frontends.mapping.op_handlers import HANDLERS
from onnxpress_frontends.mapping.preparation import prepare
from onnxpress_frontends.mapping.recurrence.fusing import fuse_recurrent_loops
from onnxpress_frontends.mapping.tf2onnx_optimizers import optimize
from onnxpress_frontends.mapping.weight_binding import bind
from onnxpress_frontends.opening.named_function import NamedFunction
from onnxpress_frontends.tensorflow_import import import_tensorflow, quiet

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

OPSET = 17


def to_onnx(source: NamedFunction) -> ir.Model:
    """Convert; inputs and outputs still carry TensorFlow's tensor names, e.g. ``image:0``.

    Raises:
        UnsupportedModel: An input has no known rank, operators have no ONNX form, or TensorFlow or tf2onnx fail.
    """
    tf = import_tensorflow()
    shapeless = [endpoint.name for endpoint in source.inputs if endpoint.tensor.shape.rank is None]
    if shapeless:
        raise UnsupportedModel(f"input {shapeless[0]!r} of {source.title!r} has no known rank; give it a shape")
    try:
        with quiet(), tf.device("/cpu:0"):
            frozen = prepare(source)
            refuse_foreign(source, frozen, opset=OPSET)
            proto, warnings = _map(frozen)
            model = model_files.from_proto(proto, name=source.title)
            bind(model, frozen.weights)
            fuse_recurrent_loops(model)
    except OnnxpressError:
        raise
    except Exception as error:  # tf2onnx and TensorFlow raise anything, asserts included
        raise UnsupportedModel(f"{source.title!r} cannot be converted to ONNX: {first_line(error)}") from error
    model.meta[WARNINGS_KEY] = [*frozen.warnings, *warnings]
    return model


def _map(frozen: Frozen) -> tuple[onnx.ModelProto, list[str]]:
    import tensorflow as tf
    from tf2onnx import utils

    def mapped() -> Any:
        utils.INTERNAL_NAME = 1  # its counter for new names: a second conversion must give the same names as the first
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(frozen.graph, name="")
            inputs = [*frozen.inputs, *(f"{name}:0" for name in frozen.weights)]
            return map_graph(graph, inputs=inputs, outputs=frozen.outputs, opset=OPSET, handlers=HANDLERS)

    graph, warnings = optimize(mapped)
    return graph.make_model("converted from TensorFlow"), warnings
