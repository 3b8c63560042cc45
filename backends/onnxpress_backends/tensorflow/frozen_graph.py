"""Backend ``tensorflow-pb``: a frozen GraphDef of TensorFlow's own operators, written without importing TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress.kinds import Backend
from onnxpress_backends.tensorflow.quantization.simulation import Mode

if TYPE_CHECKING:
    import onnx_ir as ir


def emit(model: ir.Model, path: Path, *, mode: Mode = "fake-quant", nhwc: bool = False) -> list[Path]:
    """Write `model` to `path` as a frozen graph, atomically.

    Args:
        model: The model; it is not changed.
        path: Where the file goes.
        mode: What becomes of QuantizeLinear and DequantizeLinear: FakeQuant operators (``fake-quant``), arithmetic that
            is equal to the last bit (``exact``), nothing (``float``).  ``quantize-weights``, for frozen graphs alone:
            as ``float``, and constants of 1,024 elements and more are stored in 8 bits.
        nhwc: Move the channels of inputs and outputs of rank 4 and 5 from axis 1 to the end.  Leave it out
            where they are there already, as in a model that came from TensorFlow.

    Returns:
        The file written.

    Raises:
        UnsupportedModel: A node cannot go to TensorFlow, or the graph passes 2 GB.
        OnnxpressError: The place cannot be written.
    """
    from onnxpress.files import atomic
    from onnxpress_backends.tensorflow.graphs import graph_def
    from onnxpress_backends.tensorflow.preparing import lowered

    graph = lowered(model, mode=mode, nhwc=nhwc)
    with atomic(path) as staged, staged.open("wb") as file:
        graph_def.write(graph, file)
    return [path]


TENSORFLOW_PB = Backend(
    name="tensorflow-pb",
    summary="frozen TensorFlow graphs (.pb), for TensorFlow 1 and 2 and for Ascend's ATC",
    emit=emit,
    suffixes=(".pb",),
)
