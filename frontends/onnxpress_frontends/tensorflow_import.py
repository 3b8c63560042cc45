"""The one door through which TensorFlow and Keras come in: late, on the CPU, exact, and quiet.

oneDNN kernels make TensorFlow itself differ by up to 1e-2 from its plain kernels, so a reference must not use them.
A variable that the user has set stays as it is, and nothing changes when TensorFlow is already imported.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from onnxpress.errors import MissingDependency, UnsupportedModel
from onnxpress.foreign import TENSORFLOW


def import_tensorflow() -> Any:
    """The module `tensorflow`.

    Raises:
        MissingDependency: It is not installed, or its installation is broken.
    """
    return TENSORFLOW.load()


def quiet() -> AbstractContextManager[None]:
    """Silence what TensorFlow and tf2onnx log and warn; errors reach the user as exceptions."""
    return TENSORFLOW.quiet()


def import_keras() -> Any:
    """The module `keras`, version 3, computing with TensorFlow.

    Raises:
        MissingDependency: Keras 3 is not installed.
        UnsupportedModel: Keras runs on another backend in this process.
    """
    import_tensorflow()
    try:
        import keras
    except ImportError as error:
        raise MissingDependency(f"Keras cannot be imported ({error}); pip install keras") from error
    if not keras.__version__.startswith("3."):
        raise MissingDependency(f"Keras {keras.__version__} is too old; pip install 'keras>=3'")
    if keras.backend.backend() != "tensorflow":
        raise UnsupportedModel(
            f"Keras runs on {keras.backend.backend()!r} in this process; set KERAS_BACKEND=tensorflow and start again"
        )
    return keras
