"""PyTorch modules and exported programs, from memory or from ``.pt2`` files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxpress.errors import UnsupportedModel
from onnxpress.kinds import WARNINGS_KEY, Frontend

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress_frontends.pytorch.captured import Captured
    from onnxpress_frontends.pytorch.torch_reference import TorchReference

SUFFIXES = (".pt2", ".pt", ".pth")


def load(
    source: Any,
    *,
    example_inputs: object | None = None,
    dynamic_axes: object | None = None,
    input_names: list[str] | None = None,
    output_names: list[str] | None = None,
) -> ir.Model:
    """Convert a PyTorch source to ONNX of opset 18.

    A module is exported in evaluation mode and is as it was afterwards.  The layout stays PyTorch's (NCHW images).

    Args:
        source: A `torch.nn.Module`, a `torch.export.ExportedProgram`, or the path of a ``.pt2`` file.
        example_inputs: What a module is run with once: a tensor, a tuple of them in order, or a dictionary by argument.
        dynamic_axes: Axes of a module's inputs that stay open, e.g. ``{'tokens': {0: 'N', 1: 'T'}}``; ``{}`` fixes
            every size.  Not given: the batch is open.
        input_names: New names of the inputs, in order.
        output_names: New names of the outputs, in order.

    Raises:
        MissingDependency: PyTorch or onnxscript is not installed.
        InvalidModel: A file is missing, truncated or corrupt.
        InvalidOption: An option is missing or does not fit.
        UnsupportedModel: The file would run code, or the model has no ONNX form.
    """
    from onnxpress_frontends.pytorch.agreement import check_agreement
    from onnxpress_frontends.pytorch.translating import translate

    captured = _capture(source, example_inputs, dynamic_axes, input_names, output_names)
    model = translate(captured)
    model.meta[WARNINGS_KEY] += check_agreement(model, captured)
    return model


def reference(
    source: Any,
    *,
    example_inputs: object | None = None,
    dynamic_axes: object | None = None,
    input_names: list[str] | None = None,
    output_names: list[str] | None = None,
) -> TorchReference:
    """The source run by PyTorch itself; options and errors as for `load`."""
    from onnxpress_frontends.pytorch.torch_reference import TorchReference

    return TorchReference(_capture(source, example_inputs, dynamic_axes, input_names, output_names))


def accepts(source: Any) -> bool:
    """Whether `source` is PyTorch's, by its suffix or the package of its class; a Keras model is Keras's."""
    if isinstance(source, Path):
        return source.suffix.lower() in SUFFIXES
    packages = {cls.__module__.partition(".")[0] for cls in type(source).__mro__}
    return "torch" in packages and "keras" not in packages


def _capture(
    source: Any, example_inputs: object, dynamic_axes: object, names: list[str] | None, results: list[str] | None
) -> Captured:
    from onnxpress_frontends.pytorch import capturing, program_files
    from onnxpress_frontends.torch_import import import_torch

    if isinstance(source, Path):
        program = program_files.open_program(source)
        return capturing.capture_program(program, source.name, example_inputs, dynamic_axes, names, results)
    torch = import_torch()
    if isinstance(source, torch.nn.Module):
        return capturing.capture_module(source, example_inputs, dynamic_axes, names, results)
    if isinstance(source, torch.export.ExportedProgram):
        return capturing.capture_program(source, "the program", example_inputs, dynamic_axes, names, results)
    raise UnsupportedModel(
        f"an object of type {type(source).__name__!r} is no torch.nn.Module or exported program; "
        "load weights into the module they belong to, and convert that"
    )


TORCH = Frontend(
    name="torch",
    summary="PyTorch modules and exported programs in memory, and exported programs in .pt2 files",
    accepts=accepts,
    load=load,
    reference=reference,
)
