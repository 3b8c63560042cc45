"""Modules and exported programs, as `Captured`.

A module is run once by `torch.export.export`, in evaluation mode, and is afterwards as it was.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxpress.errors import InvalidOption, UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.pytorch.captured import Captured, Tensors, input_names, output_names
from onnxpress_frontends.pytorch.evaluating import evaluating
from onnxpress_frontends.pytorch.examples import named_tensors, open_axes, read_examples
from onnxpress_frontends.torch_import import import_torch

if TYPE_CHECKING:
    import torch

_PLACE = re.compile(r'File "([^"]+)", line (\d+), in (\w+)\n')
_FIXED = "the module fixes this size: say which stay open, dynamic_axes={'x': {1: 'N'}}, or that none does, {}"
_REMEDIES = {
    "data-dependent": "replace a branch on values by torch.where or torch.cond",
    "as dynamic but": _FIXED,
    "inferred a static shape": _FIXED,
}
_TRAINING_FLAGS = {"aten.dropout.default": 2, "aten.batch_norm.default": 5}
"""Operators that do something else in training, and which of their arguments says so."""


def capture_module(
    module: torch.nn.Module,
    example_inputs: Any,
    dynamic_axes: Any,
    names: Sequence[str] | None,
    results: Sequence[str] | None,
) -> Captured:
    """Export `module`; the other arguments are the options of the frontend.

    Raises:
        InvalidOption: An option is missing or does not fit the module.
        UnsupportedModel: It is TorchScript, `torch.export` cannot follow it, or it returns something else than tensors.
    """
    torch = import_torch()
    title = type(module).__name__
    if isinstance(module, torch.jit.ScriptModule):
        raise UnsupportedModel(
            f"{title} is TorchScript, which torch.export does not take; convert the nn.Module that it was made from"
        )
    examples = read_examples(module, example_inputs)
    tensors = examples.tensors()
    axes = open_axes(tensors, dynamic_axes)
    longer = examples.lengthened(axes)
    try:
        with evaluating(module), contextlib.redirect_stderr(io.StringIO()):  # torch prints the graph before it raises
            program = torch.export.export(
                module, longer.call.args, longer.call.kwargs, dynamic_shapes=examples.dynamic_shapes(axes)
            )
    except Exception as error:  # torch.export lets through whatever the module raises, and a dozen errors of its own
        raise UnsupportedModel(f"{title} cannot be exported; torch.export says: {_said(error)}") from error
    inputs = input_names(program, list(tensors) if names is None else names)
    return Captured(
        title=title,
        program=program,
        module=module,
        inputs=inputs,
        outputs=output_names(program, results, inputs),
        open_axes={name: axes.get(own, {}) for name, own in zip(inputs, tensors, strict=True)},
        examples=dict(zip(inputs, tensors.values(), strict=True)),
    )


def capture_program(
    program: torch.export.ExportedProgram,
    title: str,
    example_inputs: Any,
    dynamic_axes: Any,
    names: Sequence[str] | None,
    results: Sequence[str] | None,
) -> Captured:
    """Name the ends of an exported program.

    Raises:
        InvalidOption: An option does not fit the program.
        UnsupportedModel: It was exported in training mode, or returns something else than tensors.
    """
    if dynamic_axes is not None:
        raise InvalidOption("option 'dynamic_axes' is for modules; an exported program has its own open sizes")
    for node in program.graph.nodes:
        flag = _TRAINING_FLAGS.get(str(node.target))
        if flag is not None and node.args[flag : flag + 1] == (True,):
            raise UnsupportedModel(
                f"{title} was exported in training mode ({node.target} {node.name!r}); "
                "call module.eval() before torch.export.export"
            )
    inputs = input_names(program, names)
    return Captured(
        title=title,
        program=program,
        inputs=inputs,
        outputs=output_names(program, results, inputs),
        examples=_by_name(program, inputs, example_inputs),
    )


def _by_name(program: torch.export.ExportedProgram, inputs: Sequence[str], given: Any) -> Tensors:
    """Example inputs as feeds: those given, or those that the program brings."""
    found = named_tensors(program.example_inputs or () if given is None else given)
    if isinstance(given, Mapping):
        found = {name: found[name] for name in input_names(program, None) if name in found}
    if given is None and len(found) != len(inputs):
        return {}
    if len(found) != len(inputs):
        raise InvalidOption(f"option 'example_inputs' must give {len(inputs)} tensors: {', '.join(inputs)}")
    return dict(zip(inputs, found.values(), strict=True))


def _said(error: Exception) -> str:
    """Its first line, where in the user's code it arose, and what can be done, if that is known."""
    text, own = str(error), str(Path(import_torch().__file__).parent)
    places = [place for place in _PLACE.findall(text) if not place[0].startswith(own)]
    where = " ({}:{}, in {})".format(*places[-1]) if places else ""
    remedy = next((f"; {remedy}" for sign, remedy in _REMEDIES.items() if sign in text), "")
    said = first_line(error).partition(" For more information")[0].rstrip(" .:!")
    return f"{said}{where}{remedy}"
