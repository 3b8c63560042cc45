"""The built-in backends: writers of ONNX files and of TensorFlow models."""

from __future__ import annotations

from collections.abc import Iterable

from onnxpress import hookimpl
from onnxpress.kinds import Backend


@hookimpl
def onnxpress_backends() -> Iterable[Backend]:
    """Every backend of this package."""
    from onnxpress_backends.ascend.deploy_writing import ASCEND_ONNX
    from onnxpress_backends.ascend.frozen_graphs.writing import ASCEND_PB
    from onnxpress_backends.ascend.record_writing import AMCT_RECORD
    from onnxpress_backends.keras.functional_models import KERAS
    from onnxpress_backends.onnx_files import ONNX
    from onnxpress_backends.saved_model.writing import SAVED_MODEL
    from onnxpress_backends.tensorflow.frozen_graph import TENSORFLOW_PB
    from onnxpress_backends.tflite.writing import TFLITE

    yield from (ONNX, TENSORFLOW_PB, KERAS, SAVED_MODEL, TFLITE, ASCEND_ONNX, ASCEND_PB, AMCT_RECORD)
