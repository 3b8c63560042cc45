"""A TFLite file is run once before it is given out, on noise, against the function it was made of.

The converter writes files that its own interpreter refuses (weights that are sparse and in 8 bits), and now and then
one that computes something else.  The interpreter is that of `ai_edge_litert` where it is installed, TensorFlow's own
else, with the delegate that it takes by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress.errors import OnnxpressError, UnsupportedModel, reason
from onnxpress_backends.saved_model.functions import Function
from onnxpress_backends.tflite.converting import Precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

ERRORS: dict[Precision, float] = {"float": 1e-3, "float16": 0.02, "dynamic": 0.2, "int8": 0.2}
"""How far the outputs may be off, as ``|actual - expected| / |expected|`` of all their elements (Euclidean norms)."""


def attempt(tf: Any, content: bytes, function: Function, precision: Precision) -> None:
    """Run a file and compare.

    Args:
        tf: TensorFlow.
        content: The file.
        function: What it was made of.
        precision: How it computes.

    Raises:
        UnsupportedModel: It does not run, or gives something else.
        OnnxpressError: The converter could not finish it.
    """
    feeds = {spec.name: _noise(spec, number) for number, spec in enumerate(function.inputs)}
    expected = {name: value.numpy() for name, value in function.call(*map(tf.constant, feeds.values())).items()}
    try:
        actual = _run(tf, content, feeds)
    except (ValueError, RuntimeError, NotImplementedError) as error:
        raise UnsupportedModel(
            f"the converted file does not run: {reason(error)[:300].rstrip('.')}; choose another precision, "
            "or no sparse weights"
        ) from error
    for name, array in expected.items():
        off = _error(actual[name], array)
        if not off <= ERRORS[precision]:
            raise UnsupportedModel(
                f"output {name!r} of the converted file is off by {off:.2g} of its size, which {precision} does not "
                "explain; choose another precision"
            )


def _noise(spec: Any, seed: int) -> NDArray[Any]:
    """Numbers for an input; every unknown size is 1."""
    generator, dtype = np.random.default_rng(seed), spec.dtype.as_numpy_dtype
    sizes = [size or 1 for size in spec.shape]
    if np.issubdtype(dtype, np.floating):
        return np.asarray(generator.standard_normal(sizes), dtype)
    integers = generator.integers(0, 2, sizes)
    return integers.astype("S").astype(object) if dtype is object else np.asarray(integers, dtype)


def _run(tf: Any, content: bytes, feeds: Arrays) -> Arrays:
    interpreter = _interpreter(tf, content)
    if not interpreter.get_signature_list():  # the converter goes on without it when it cannot write a SavedModel
        raise OnnxpressError("cannot write in the folder for temporary files: the converter had no room there")
    runner = interpreter.get_signature_runner()
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    given = {name: _stored(array, inputs[name]) for name, array in feeds.items() if name in inputs}
    return {name: _numbers(array, outputs[name]) for name, array in runner(**given).items()}


def _interpreter(tf: Any, content: bytes) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        Interpreter = tf.lite.Interpreter  # noqa: N806
    return Interpreter(model_content=content)


def _stored(array: NDArray[Any], details: Any) -> NDArray[Any]:
    """What the file takes: numbers, or 8-bit integers of a grid."""
    scale, zero_point = details["quantization"]
    if array.dtype == details["dtype"] or not scale:
        return array
    limits = np.iinfo(details["dtype"])
    integers = np.clip(np.rint(array / scale) + zero_point, limits.min, limits.max)
    return np.asarray(integers, details["dtype"])


def _numbers(array: NDArray[Any], details: Any) -> NDArray[Any]:
    scale, zero_point = details["quantization"]
    return np.asarray((array.astype(np.float32) - zero_point) * scale) if scale else array


def _error(actual: NDArray[Any], expected: NDArray[Any]) -> float:
    """Relative error of finite numbers; infinite where shapes, texts or what is finite differ."""
    if expected.dtype == object:
        return 0.0 if np.array_equal(actual, expected) else float("inf")
    finite = np.isfinite(expected)
    if actual.shape != expected.shape or (np.isfinite(actual) != finite).any():
        return float("inf")
    one, other = (array[finite].astype(np.float64) for array in (actual, expected))
    size = float(np.linalg.norm(other))
    difference = float(np.linalg.norm(one - other))
    return difference / size if size else difference
