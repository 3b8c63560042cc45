"""TensorFlow functions and modules in memory: named by the arguments of the function and the structure it returns."""

from __future__ import annotations

import re
from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.opening.named_function import NamedFunction, arguments, endpoints
from onnxpress_frontends.tensorflow_import import import_tensorflow, quiet

_TRACED = re.compile(r"^__inference_(.+)_\d+$")
"""TensorFlow's name of a traced function, with a number from a counter."""


def trace(source: Any) -> NamedFunction:
    """The concrete function of a `tf.Module`, a `tf.function` or a concrete function.

    Raises:
        UnsupportedModel: Its inputs are not known, or tracing fails.
    """
    import_tensorflow()
    title = _title(source)
    if hasattr(source, "structured_input_signature"):
        return name_endpoints(source, title=title, owner=source)
    function: Any = source.__call__ if callable(source) and not hasattr(source, "get_concrete_function") else source
    if not hasattr(function, "get_concrete_function"):
        raise UnsupportedModel(f"{title!r} cannot be called as a tf.function; decorate its __call__ with tf.function")
    try:
        with quiet():
            concrete = function.get_concrete_function()
    except Exception as error:  # tracing runs the user's Python, which may raise anything
        raise UnsupportedModel(
            f"{title!r} cannot be traced ({first_line(error)}); give its tf.function an input_signature"
        ) from error
    return name_endpoints(concrete, title=title, owner=source)


def name_endpoints(function: Any, *, title: str, owner: Any) -> NamedFunction:
    """Name the inputs of a concrete function after its arguments, its outputs after the structure it returns.

    A dictionary's keys are the names; an only output is ``output``, several are ``output_0``, ``output_1`` ...

    Raises:
        UnsupportedModel: It takes or returns no tensor.
    """
    tf = import_tensorflow()
    inputs = arguments(function)
    if not inputs or not function.outputs:
        raise UnsupportedModel(f"{title!r} has {len(inputs)} inputs and {len(function.outputs)} outputs; needs both")
    specs = [spec for spec in tf.nest.flatten(function.structured_input_signature) if isinstance(spec, tf.TensorSpec)]
    if len(specs) == len(inputs):
        keys = {key.lower(): key for key in function.structured_input_signature[1]}
        names = [spec.name or tensor.op.name for spec, tensor in zip(specs, inputs, strict=True)]
        names = [keys.get(name, name) for name in names]  # the names of specs have no capitals
    else:
        names = [tensor.op.name for tensor in inputs]
    named_inputs = endpoints(names, inputs)
    taken = [endpoint.name for endpoint in named_inputs]
    return NamedFunction(
        title=title,
        function=function,
        inputs=named_inputs,
        outputs=endpoints(output_names(function), function.outputs, taken=taken),
        owner=owner,
    )


def output_names(function: Any) -> list[str]:
    """A name for each output of a concrete function, in the order of its outputs."""
    tf = import_tensorflow()
    structure = function.structured_outputs
    count = len(function.outputs)
    if isinstance(structure, dict) and len(structure) == len(tf.nest.flatten(structure)) == count:
        return [str(key) for key in sorted(structure)]
    return ["output"] if count == 1 else [f"output_{index}" for index in range(count)]


def _title(source: Any) -> str:
    name = getattr(source, "__name__", None) or getattr(source, "name", None) or type(source).__name__
    text = name.decode() if isinstance(name, bytes) else str(name)
    return _TRACED.sub(r"\1", text)
