"""Frameworks that are not ours come in through one door: late, and quiet.

What they log and warn, and what their native libraries write to standard error before they read their log level, is
kept from the user; what goes wrong reaches the user as an exception.  A framework is data here: nothing is imported
before it is asked for, and core asks for none.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from onnxpress.errors import MissingDependency


@dataclass(frozen=True, kw_only=True)
class Framework:
    """One framework.

    Attributes:
        name: As people write it.
        module: As Python imports it.
        install: What brings it, for ``pip install``.
        environment: Variables it reads while it is imported; one that the user has set stays as it is.
        loggers: What it logs with.
    """

    name: str
    module: str
    install: str
    environment: Mapping[str, str] = field(default_factory=dict)
    loggers: tuple[str, ...]

    def load(self) -> ModuleType:
        """The module; nothing changes when it is already imported.

        Raises:
            MissingDependency: It is not installed, or its installation is broken.
        """
        if sys.modules.get(self.module) is not None:
            return sys.modules[self.module]
        for name, value in self.environment.items():
            os.environ.setdefault(name, value)
        try:
            with self.quiet(), native_code_muted():
                module = importlib.import_module(self.module)
        except ImportError as error:
            raise MissingDependency(f"{self.name} cannot be imported ({error}); pip install {self.install}") from error
        logger = logging.getLogger(self.module)  # TensorFlow's: a checkpoint not restored warns when it is collected
        logger.setLevel(logger.level or logging.ERROR)
        return module

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Silence what it logs and warns."""
        loggers = [logging.getLogger(name) for name in self.loggers]
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


TENSORFLOW = Framework(
    name="TensorFlow",
    module="tensorflow",
    install="tensorflow",
    environment={
        "TF_ENABLE_ONEDNN_OPTS": "0",  # its kernels differ from TensorFlow's plain ones by up to 1e-2
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
    },
    loggers=("tensorflow", "tf2onnx", "absl", "onnx_ir"),
)
"""TensorFlow, and Keras on it: on the CPU, and exact."""


@contextlib.contextmanager
def native_code_muted() -> Iterator[None]:
    """Send file descriptor 2, which native libraries write to, nowhere."""
    if sys.stderr is not None:
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
