"""The one door through which TensorFlow comes in: late, on the CPU, exact, and quiet."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from onnxpress.foreign import TENSORFLOW


def import_tensorflow() -> Any:
    """The module `tensorflow`.

    Raises:
        MissingDependency: It is not installed, or its installation is broken.
    """
    return TENSORFLOW.load()


def quiet() -> AbstractContextManager[None]:
    """Silence what TensorFlow logs and warns; errors reach the user as exceptions."""
    return TENSORFLOW.quiet()
