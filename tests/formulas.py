"""Formulas over terms, worked out twice: on paper, and by TensorFlow with the same numbers fed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import onnx_ir as ir

from frozen_graphs import FrozenGraph
from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.geometry.terms import Term
from onnxpress_backends.tensorflow.graphs import graph_def
from onnxpress_backends.tensorflow.graphs.dtypes import of_numpy
from onnxpress_backends.tensorflow.graphs.graph import Graph, Tensor
from onnxpress_backends.tensorflow.lowering import Scope

Formula = Callable[..., "Term | Tensor"]


def a_call() -> Call:
    """A node without inputs in a new graph."""
    return Call(ir.Node("", "Formula", []), cast(Scope, SimpleNamespace(graph=Graph())))


def known(*arrays: Any) -> list[Term]:
    """Arrays as terms of one call that are known."""
    call = a_call()
    return [Term(call, np.asarray(array)) for array in arrays]


def by_tensorflow(formula: Formula, *arrays: Any, folder: Path) -> Any:
    """What `formula` of arrays is when they are only known when the graph runs."""
    call = a_call()
    feeds = {f"x{index}": np.asarray(array) for index, array in enumerate(arrays)}
    fed = [
        Tensor(call.graph.add("Placeholder", name=name, dtype=of_numpy(array.dtype), shape=array.shape))
        for name, array in feeds.items()
    ]
    result = formula(*(Term(call, tensor) for tensor in fed))
    call.graph.reserve(["y"])
    call.graph.finish({"y": result.tensor if isinstance(result, Term) else result})
    path = folder / "formula.pb"
    with path.open("wb") as file:
        graph_def.write(call.graph, file)
    graph = FrozenGraph(path)
    output = graph.run(feeds, ["y"])[0]
    graph.close()
    return output
