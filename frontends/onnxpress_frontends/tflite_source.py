"""TFLite files: float, with halves or integers for weights, quantised throughout, sparse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxpress.errors import UnsupportedModel
from onnxpress.kinds import Frontend

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress_frontends.tflite.interpreting import InterpretedFile

_SUFFIXES = (".tflite", ".lite")


def load(source: Any, *, signature: str | None = None) -> ir.Model:
    """Convert a TFLite file to ONNX.

    What is quantised in the file is quantised in the same places, with the same scales, zero points and stored
    integers; weights stored as halves become float32, sparse ones dense.  Sizes that the file leaves open stay open.

    Args:
        source: The path of the file.
        signature: Key of the signature to convert; needed where there are several, none ``serving_default``.

    Raises:
        InvalidModel: The file is missing, truncated or corrupt.
        InvalidOption: There is no such signature, or one must be named.
        UnsupportedModel: The file has operators, types or schemes of quantisation that have no ONNX form.
    """
    from onnxpress_frontends.finishing import dimensions, io_names, quantization_nodes, validity_gate
    from onnxpress_frontends.mapping.tf2onnx_mapping import to_onnx
    from onnxpress_frontends.tflite.biases import join_biases
    from onnxpress_frontends.tflite.integer_ends import use_integers
    from onnxpress_frontends.tflite.reading import read
    from onnxpress_frontends.tflite.signatures import choose
    from onnxpress_frontends.tflite.tracing import trace

    contents = read(_path(source))
    chosen = choose(contents, signature)
    function = trace(contents, chosen)
    model = to_onnx(function)
    quantization_nodes.expand(model)
    io_names.rename(model, function)
    ends = ((name, chosen.graph.tensors[index].grid) for index, name in (*chosen.inputs, *chosen.outputs))
    use_integers(model, {name: grid for name, grid in ends if grid is not None})
    validity_gate.refuse_foreign_ops(model)
    dimensions.settle_dimensions(model)
    join_biases(model)
    validity_gate.check(model)
    return model


def reference(source: Any, *, signature: str | None = None) -> InterpretedFile:
    """The file run by TFLite's own interpreter; options and errors as for `load`."""
    from onnxpress_frontends.tflite.interpreting import InterpretedFile
    from onnxpress_frontends.tflite.reading import read
    from onnxpress_frontends.tflite.signatures import choose

    path = _path(source)
    return InterpretedFile(path, choose(read(path), signature))


def accepts(source: Any) -> bool:
    """Whether `source` is a TFLite file, by its suffix."""
    return isinstance(source, Path) and source.suffix.lower() in _SUFFIXES


def _path(source: Any) -> Path:
    if not isinstance(source, Path):
        raise UnsupportedModel(f"an object of type {type(source).__name__!r} is no TFLite file; give its path")
    return source


TFLITE = Frontend(
    name="tflite",
    summary="TFLite files (.tflite): float, half and integer weights, int8 and uint8, sparse",
    accepts=accepts,
    load=load,
    reference=reference,
)
