"""TensorFlow's protobuf messages without TensorFlow: 0.1 s instead of 5.

The generated modules import one another as ``tensorflow.core.framework...``; importing the package ``tensorflow`` runs
the whole of it.  Empty packages of the same names stand in while the messages are imported, and are taken away again,
so that TensorFlow itself can be imported later.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

from onnxpress.errors import MissingDependency

_PACKAGES = ("tensorflow", "tensorflow.core", "tensorflow.core.framework", "tensorflow.core.protobuf")


class Protos(NamedTuple):
    """The modules that hold the messages of a GraphDef."""

    attr_value: Any
    function: Any
    graph: Any
    node_def: Any
    op_def: Any
    tensor: Any
    tensor_shape: Any
    versions: Any


@functools.cache
def protos() -> Protos:
    """TensorFlow's messages.

    Raises:
        MissingDependency: TensorFlow is not installed.
    """
    if "tensorflow" in sys.modules:
        return _import()
    folder = _folder()
    for name in _PACKAGES:
        package = types.ModuleType(name)
        package.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    try:
        return _import()
    finally:
        for name in _PACKAGES:
            del sys.modules[name]


def _import() -> Protos:
    modules = (importlib.import_module(f"tensorflow.core.framework.{name}_pb2") for name in Protos._fields)
    return Protos(*modules)


def _folder() -> Path:
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependency("TensorFlow is not installed; pip install tensorflow")
    return Path(spec.submodule_search_locations[0])
