"""TFLite files run and looked into by the interpreter."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np


def run(path: Path, **feeds: Any) -> dict[str, Any]:
    """Outputs by name; integers of a grid as the numbers they stand for, inputs likewise."""
    runner = _interpreter(path).get_signature_runner()
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    results = runner(**{name: _stored(array, inputs[name]) for name, array in feeds.items()})
    return {name: _numbers(array, outputs[name]) for name, array in results.items()}


def operators(path: Path) -> Counter[tuple[str, str]]:
    """How often each operator is there, with the type of its first output."""
    interpreter = _interpreter(path)
    types = {each["index"]: np.dtype(each["dtype"]).name for each in interpreter.get_tensor_details()}
    nodes = interpreter._get_ops_details()
    return Counter((node["op_name"], types[node["outputs"][0]]) for node in nodes if node["op_name"] != "DELEGATE")


def ends(path: Path) -> dict[str, tuple[str, list[int]]]:
    """Type and shape of each input and output, -1 for an open size."""
    runner = _interpreter(path).get_signature_runner()
    details = {**runner.get_input_details(), **runner.get_output_details()}
    return {
        name: (np.dtype(each["dtype"]).name, each["shape_signature"].tolist() or each["shape"].tolist())
        for name, each in details.items()
    }


def _interpreter(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=str(path))


def _stored(array: Any, details: Any) -> Any:
    scale, zero_point = details["quantization"]
    return np.clip(np.rint(array / scale) + zero_point, -128, 127).astype(np.int8) if scale else array


def _numbers(array: Any, details: Any) -> Any:
    scale, zero_point = details["quantization"]
    return (array.astype(np.float32) - zero_point) * scale if scale else array
