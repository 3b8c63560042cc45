"""A SavedModel that is the same, byte by byte, whenever it is written.

TensorFlow numbers functions and the resources they capture by counters of the process, lists functions by a hash of
their names, and puts a random number into the fingerprint.  Functions are numbered from zero instead, in the order they
were made, and listed by name; captured resources go without a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from onnxpress_backends.tensorflow.graphs.dtypes import DType

_NUMBERED = re.compile(r"(__(?:inference|forward|backward)_.*_)(\d+)")


def settle(folder: Path) -> None:
    """Rewrite ``saved_model.pb`` and ``fingerprint.pb`` of a SavedModel in place."""
    from tensorflow.core.protobuf import fingerprint_pb2, saved_model_pb2
    from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

    path = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for meta in model.meta_graphs:
        names = _settled(function.signature.name for function in meta.graph_def.library.function)
        _rename_in_graph(meta.graph_def, names)
        _rename_in_objects(meta.object_graph_def, names)
    path.write_bytes(model.SerializeToString(deterministic=True))
    fingerprint = fingerprint_pb2.FingerprintDef.FromString(fingerprinting.CreateFingerprintDef(str(folder)))
    fingerprint.ClearField("uuid")
    (folder / "fingerprint.pb").write_bytes(fingerprint.SerializeToString(deterministic=True))


def _settled(names: Iterable[str]) -> dict[str, str]:
    """A new name for each function that has a number of the process."""
    numbered = [match for match in map(_NUMBERED.fullmatch, names) if match]
    numbered.sort(key=lambda match: int(match[2]))
    return {match[0]: f"{match[1]}{count}" for count, match in enumerate(numbered)}


def _rename_in_graph(graph: Any, names: Mapping[str, str]) -> None:
    _rename_calls(graph.node, names)
    for function in graph.library.function:
        function.signature.name = names.get(function.signature.name, function.signature.name)
        _rename_calls(function.node_def, names)
        for number, argument in enumerate(function.signature.input_arg):
            if argument.type == DType.RESOURCE and number in function.arg_attr:
                function.arg_attr[number].attr.pop("_user_specified_name", None)
    graph.library.function.sort(key=lambda function: str(function.signature.name))


def _rename_calls(nodes: Iterable[Any], names: Mapping[str, str]) -> None:
    for node in nodes:
        for attribute in node.attr.values():
            for called in [attribute.func] if attribute.HasField("func") else attribute.list.func:
                called.name = names.get(called.name, called.name)


def _rename_in_objects(objects: Any, names: Mapping[str, str]) -> None:
    for old, new in names.items():
        if old in objects.concrete_functions:
            objects.concrete_functions[new].CopyFrom(objects.concrete_functions[old])
            del objects.concrete_functions[old]
    for node in objects.nodes:
        if node.HasField("function"):
            functions = node.function.concrete_functions
            functions[:] = [names.get(name, name) for name in functions]
        if node.HasField("bare_concrete_function"):
            bare = node.bare_concrete_function
            bare.concrete_function_name = names.get(bare.concrete_function_name, bare.concrete_function_name)
