"""Backend ``ascend-pb``: a frozen GraphDef for ATC that stock TensorFlow runs, too, on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress.kinds import WARNINGS_KEY, Backend
from onnxpress_backends.ascend import fixed_sizes

if TYPE_CHECKING:
    import onnx_ir as ir


def emit(
    model: ir.Model, path: Path, *, library: bool = True, nhwc: bool = False, batch: int | None = None
) -> list[Path]:
    """Write `model`, quantised, to `path` as a frozen graph for ATC (``--framework=3``), atomically.

    Args:
        model: A model with QuantizeLinear and DequantizeLinear; only its `meta` is changed: it gets what the user must
            know, under `WARNINGS_KEY`.
        path: Where the file goes.
        library: The file says by functions of TensorFlow's what Ascend's operators compute, so that TensorFlow runs
            it; False for readers that take no functions.
        nhwc: Move the channels of inputs and outputs of rank 4 and 5 from axis 1 to the end.  Leave it out
            where they are there already, as in a model that came from TensorFlow.
        batch: Samples that go in at a time, where the model leaves that open.

    Returns:
        The file written.

    Raises:
        InvalidModel: A scale is not positive and finite, or GE would not recognise what was written.
        InvalidOption: `batch` contradicts the model.
        UnsupportedModel: Ascend or TensorFlow cannot say what the model says, or it passes 2 GB; the message names the
            node and why.
        OnnxpressError: The place cannot be written.
    """
    from onnxpress.ascend.operators import OPERATORS
    from onnxpress.files import atomic
    from onnxpress_backends.ascend.deploying import deployed
    from onnxpress_backends.ascend.frozen_graphs.adapter_rules import RULES
    from onnxpress_backends.ascend.frozen_graphs.checking import check
    from onnxpress_backends.ascend.frozen_graphs.integer_spans import clear
    from onnxpress_backends.ascend.frozen_graphs.marking import mark
    from onnxpress_backends.ascend.frozen_graphs.simulation import function
    from onnxpress_backends.tensorflow.graphs import graph_def
    from onnxpress_backends.tensorflow.graphs.protos import protos
    from onnxpress_backends.tensorflow.preparing import lowered

    deploy = deployed(model, batch=batch)
    mark(deploy)
    graph = lowered(deploy, nhwc=nhwc, special=RULES)
    clear(graph)
    operators = sorted({node.op for node in graph.nodes if node.op in OPERATORS})
    functions = [function(op) for op in operators] if library else []
    with atomic(path) as staged:
        with staged.open("wb") as file:
            graph_def.write(graph, file, library=functions)
        check(protos().graph.GraphDef.FromString(staged.read_bytes()), name=str(path))
    model.meta[WARNINGS_KEY] = deploy.meta[WARNINGS_KEY]
    return [path]


ASCEND_PB = Backend(
    name="ascend-pb",
    summary="quantised TensorFlow graphs (_quantized.pb) for Ascend's ATC, which TensorFlow runs too",
    emit=emit,
    suffixes=("_quantized.pb",),
    check=fixed_sizes.check,
)
