"""A captured program as an ONNX model: torch.onnx translates, the names and sizes at the ends are ours.

Weights are not copied: the model looks at the memory of the module, read-only.  What `torch.onnx` notes of Python
source files is left out, so that a model depends on the network alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import onnx_ir as ir

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress.kinds import WARNINGS_KEY
from onnxpress.verify import verify
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.pytorch.captured import Captured
from onnxpress_frontends.pytorch.open_sizes import named_sizes, rename
from onnxpress_frontends.torch_import import import_exporter, quiet

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

OPSET = 18
"""The oldest that `torch.onnx` writes without converting down."""

_NODE = re.compile(r"node %\w+")


def translate(source: Captured) -> ir.Model:
    """Translate `source` to ONNX of opset 18.

    Raises:
        UnsupportedModel: Something in it has no ONNX form.
        InvalidModel: The graph that came out breaks a rule.
    """
    exporter = import_exporter()
    try:
        with quiet():
            exported = exporter.export(source.program, dynamo=True, opset_version=OPSET, verbose=False)
    except Exception as error:  # torch.onnx's own errors, and whatever a decomposition raises
        *_, innermost = causes = list(_causes(error))
        nodes = [found.group() for cause in causes if (found := _NODE.search(str(cause)))]
        where = f" ({nodes[-1]})" if nodes else ""
        said = first_line(innermost)
        raise UnsupportedModel(f"{source.title} cannot be translated; torch.onnx says: {said}{where}") from error
    model: ir.Model = exported.model
    model.graph.name = source.title
    model.meta[WARNINGS_KEY] = _warnings(source.title, exported.exported_program)
    _forget_sources(model)
    _hold_weights(model)
    _name_ends(model.graph, source)
    _name_sizes(model, source)
    try:
        verify(model)
    except InvalidModel as error:
        raise InvalidModel(f"torch.onnx makes an invalid graph of {source.title}: {error}") from error
    return model


def _warnings(title: str, program: torch.export.ExportedProgram) -> list[str]:
    changed = ", ".join(map(repr, program.graph_signature.buffers_to_mutate.values()))
    return [f"{title} writes into {changed}; every run starts from the values it has now"] if changed else []


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _forget_sources(model: ir.Model) -> None:
    """Drop stack traces, names of Python modules, and what the exporter says of itself."""
    model.metadata_props.clear()
    for graph in model.graphs():
        graph.metadata_props.clear()
        for node in graph:
            node.metadata_props.clear()
            node.doc_string = None
        for value in (*graph.inputs, *graph.initializers.values(), *_results(graph)):
            value.metadata_props.clear()
            value.doc_string = None


def _hold_weights(model: ir.Model) -> None:
    for graph in model.graphs():
        for value in graph.initializers.values():
            tensor = value.const_value
            if tensor is not None:
                array = tensor.numpy()
                value.const_value = ir.Tensor(_read_only(array), dtype=tensor.dtype, name=value.name)


def _read_only(array: NDArray[np.generic]) -> NDArray[np.generic]:
    view = array.view()
    view.flags.writeable = False
    return view


def _name_ends(graph: ir.Graph, source: Captured) -> None:
    """Give inputs and outputs their names; whatever inside has one of these names yields it."""
    for index, value in enumerate(graph.outputs):
        if value.is_initializer() or value.is_graph_input():
            copy = ir.node("Identity", [value])
            copy.outputs[0].type, copy.outputs[0].shape = value.type, value.shape
            graph.append(copy)
            graph.outputs[index] = copy.outputs[0]
    ends = dict(zip((*graph.inputs, *graph.outputs), (*source.inputs, *source.outputs), strict=True))
    reserved = set(ends.values())
    values = [*graph.inputs, *graph.initializers.values(), *_results(graph)]
    taken = reserved | {value.name for value in values}
    for value in values:
        if value.name in reserved and value not in ends:
            value.name = _fresh(value.name or "value", taken)
    for value in ends:
        value.name = None
    for value, name in ends.items():
        value.name = name


def _fresh(name: str, taken: set[str | None]) -> str:
    number = 1
    while f"{name}_{number}" in taken:
        number += 1
    taken.add(f"{name}_{number}")
    return f"{name}_{number}"


def _name_sizes(model: ir.Model, source: Captured) -> None:
    names = named_sizes({value.name or "": _sizes(value) for value in model.graph.inputs}, source.open_axes)
    for graph in model.graphs():
        for value in (*graph.inputs, *_results(graph)):
            if value.shape is not None and value not in model.graph.outputs and value not in model.graph.inputs:
                value.shape = ir.Shape(
                    [size if isinstance(size, int) else names.get(str(size)) for size in _sizes(value)]
                )
    for value in (*model.graph.inputs, *model.graph.outputs):
        value.shape = ir.Shape(rename(value.name or "", _sizes(value), names))


def _sizes(value: ir.Value) -> list[int | str | None]:
    return [size if isinstance(size, int) else size.value for size in value.shape or ()]


def _results(graph: ir.Graph) -> Iterator[ir.Value]:
    return (value for node in graph for value in node.outputs)
