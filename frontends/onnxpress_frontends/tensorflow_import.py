"""The one door through which TensorFlow and Keras come in: late, on the CPU, exact, and quiet.

oneDNN kernels make TensorFlow itself differ by up to 1e-2 from its plain kernels, so a reference must not use them.
A variable that the user has set stays as it is, and nothing changes when TensorFlow is already imported.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from onnxpress.errors import MissingDependency, UnsupportedModel

_ENVIRONMENT = {
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
}
_LOGGERS = ("tensorflow", "tf2onnx", "absl", "onnx_ir")


def import_tensorflow() -> Any:
    """The module `tensorflow`.

    Raises:
        MissingDependency: It is not installed, or its installation is broken.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        with quiet(), _mute_native_code():
            import tensorflow
    except ImportError as error:
        raise MissingDependency(f"TensorFlow cannot be imported ({error}); pip install tensorflow") from error
    logger = logging.getLogger("tensorflow")  # a checkpoint that could not be restored warns when it is collected
    logger.setLevel(logger.level or logging.ERROR)
    return tensorflow


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


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what TensorFlow and tf2onnx log and warn; errors reach the user as exceptions."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _mute_native_code() -> Iterator[None]:
    """Send file descriptor 2 nowhere: TensorFlow's libraries write there before they read their log level."""
    sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        try:
            saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        except OSError:  # the process has no standard error
            yield
            return
        stack.callback(os.close, saved)
        stack.callback(os.dup2, saved, 2)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
