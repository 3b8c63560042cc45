"""What Keras 2 kept by name alone: functions of TensorFlow used as layers, and its hard sigmoid.

``x + 1`` or ``tf.nn.relu6(x)`` on a Keras tensor became a layer ``TFOpLambda`` that names the function, ``x[:, 0]`` a
``SlicingOpLambda``.  A name is looked up only where TensorFlow keeps functions that compute numbers and no more.

Keras 2's hard sigmoid is ``clip(0.2 x + 0.5, 0, 1)``; that of Keras 3 is ``relu6(x + 3) / 6``, under the same name.
"""

from __future__ import annotations

import functools
import inspect
import re
from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.opening.keras import vocabulary
from onnxpress_frontends.opening.keras.dialect import Config, is_object
from onnxpress_frontends.tensorflow_import import import_keras, import_tensorflow

_FUNCTION = re.compile(
    r"""(compat\.v1\.)?(
    (math|nn|linalg|bitwise|signal|__operators__)\.(?!\w*sampler|dropout|fractional)[a-z][a-z0-9_]*
    |quantization\.fake_quant_with_min_max_\w+
    |image\.(resize\w*|adjust_\w+|flip_\w+|rot90|transpose|\w+_to_\w+|central_crop|crop_and_resize|per_image_\w+
        |extract_patches|pad_to_bounding_box|crop_to_bounding_box|convert_image_dtype|image_gradients|sobel_edges)
    |abs|add|add_n|argmax|argmin|argsort|batch_to_space|batch_to_space_nd|broadcast_to|cast|clip_by_\w+|concat|cos
    |cosh|cumsum|depth_to_space|divide|einsum|ensure_shape|equal|exp|expand_dims|eye|fill|floor|floor_div|floordiv
    |floormod|gather|gather_nd|greater|greater_equal|identity|less|less_equal|logical_\w+|matmul|maximum|minimum|mod
    |multiply|negative|norm|not_equal|one_hot|ones|ones_like|pad|pow|range|rank|realdiv|reduce_\w+|repeat|reshape
    |reverse|roll|round|rsqrt|scalar_mul|shape|sigmoid|sign|sin|sinh|size|slice|sort|space_to_batch
    |space_to_batch_nd|space_to_depth|split|sqrt|square|squeeze|stack|stop_gradient|strided_slice|subtract|tan|tanh
    |tensordot|tile|transpose|truediv|unstack|where|zeros|zeros_like)""",
    re.VERBOSE,
)
"""The candidate samplers of `tf.nn` read files; dropout and fractional pooling are random."""

_HARD_SIGMOID = "hard_sigmoid of Keras 2"
_SLICE = {"start", "stop", "step"}
_ACTIVATION_KEYS = ("activation", "recurrent_activation")


def named_here(item: Any) -> Any:
    """A copy of a translated configuration that calls for Keras 2's hard sigmoid where it is meant.

    Raises:
        UnsupportedModel: A layer names a function that is not looked up.
    """
    if isinstance(item, list):
        return [named_here(child) for child in item]
    if not isinstance(item, dict):
        return item
    if is_object(item) and item["class_name"] in vocabulary.OPERATIONS:
        function_of_tensorflow(str(item["config"].get("function")))
    changed = {key: named_here(value) for key, value in item.items()}
    for key in _ACTIVATION_KEYS:
        if changed.get(key) == "hard_sigmoid":
            changed[key] = {"class_name": "function", "config": _HARD_SIGMOID, "registered_name": _HARD_SIGMOID}
    return changed


def function_of_tensorflow(name: str) -> Any:
    """The function of TensorFlow of a public name such as ``math.multiply``.

    Raises:
        UnsupportedModel: It is not one of those that only compute numbers.
    """
    found: Any = None
    if _FUNCTION.fullmatch(name):
        found = functools.reduce(lambda scope, part: getattr(scope, part, None), name.split("."), import_tensorflow())
    if not inspect.isfunction(found):
        raise UnsupportedModel(
            f"the model calls tf.{name}, which is not among the functions that are looked up by name"
        )
    return found


@functools.cache
def custom_objects() -> dict[str, Any]:
    """The objects to read a translated configuration with, by the name it has for them."""
    tf = import_tensorflow()
    layer: Any = import_keras().layers.Layer

    class TensorFlowCall(layer):  # type: ignore[misc]
        """A layer that calls one function of TensorFlow with what it is given."""

        def __init__(self, *, function: str, arguments: Config, name: str, **_: Any) -> None:
            super().__init__(name=name, autocast=False)
            self._function = function_of_tensorflow(function)
            self._arguments = arguments

        def call(self, tensors: Any) -> Any:
            filled = _filled(self._arguments, tensors)
            return self._function(filled["first"], **filled["keywords"])

    def hard_sigmoid(x: Any) -> Any:
        return tf.clip_by_value(0.2 * x + 0.5, 0.0, 1.0)

    return {"TFOpLambda": TensorFlowCall, "SlicingOpLambda": TensorFlowCall, _HARD_SIGMOID: hard_sigmoid}


def _filled(item: Any, tensors: Any) -> Any:
    """Arguments with tensors, slices and ellipses in place of the dictionaries that stand for them."""
    if isinstance(item, (list, tuple)):
        return [_filled(child, tensors) for child in item]
    if not isinstance(item, dict):
        return item
    if item.get("class_name") == "__ellipsis__":
        return Ellipsis
    if item.keys() == {"tensor"}:
        return tensors[item["tensor"]]
    filled = {key: _filled(value, tensors) for key, value in item.items()}
    return slice(filled["start"], filled["stop"], filled["step"]) if filled.keys() == _SLICE else filled
