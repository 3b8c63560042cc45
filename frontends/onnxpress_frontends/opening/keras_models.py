"""Keras models in memory, traced for inference under the names of their layers.

Inputs are called as their `keras.Input`; outputs as the layer that makes them, or as the key where the model returns a
dictionary.  A subclassed model has no such graph: its inputs are called as the first argument of `call`, or as the keys
of the dictionary it takes.
"""

from __future__ import annotations

import inspect
from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.opening.functions import output_names
from onnxpress_frontends.opening.named_function import Endpoint, NamedFunction, arguments, endpoints
from onnxpress_frontends.tensorflow_import import import_keras, import_tensorflow, quiet


def trace_keras(model: Any) -> NamedFunction:
    """The inference function of a built Keras 3 model.

    Raises:
        UnsupportedModel: The model is not built, or tracing fails.
    """
    tf, keras = import_tensorflow(), import_keras()
    structure = _input_structure(model)
    leaves = keras.tree.flatten(structure)
    names = _input_names(model, structure, leaves)

    def infer(*tensors: Any) -> Any:
        return model(keras.tree.pack_sequence_as(structure, tensors), training=False)

    specs = [tf.TensorSpec(leaf.shape, leaf.dtype, name=name) for leaf, name in zip(leaves, names, strict=True)]
    try:
        with quiet():
            concrete = tf.function(infer, input_signature=specs, autograph=False).get_concrete_function()
    except Exception as error:  # tracing runs the model's Python, which may raise anything
        raise UnsupportedModel(
            f"Keras model {model.name!r} cannot be traced ({first_line(error)}); "
            "wrap it in a tf.function with an input_signature"
        ) from error
    inputs = endpoints(names, arguments(concrete))
    outputs = endpoints(_output_names(model, concrete), concrete.outputs, taken=[end.name for end in inputs])
    ordered = _in_order(outputs, concrete.structured_outputs)
    return NamedFunction(title=model.name, function=concrete, inputs=inputs, outputs=ordered, owner=model)


def _input_structure(model: Any) -> Any:
    """What the model is called with: one symbolic tensor, or a list or dictionary of them."""
    keras = import_keras()
    if not model.built:
        raise UnsupportedModel(f"Keras model {model.name!r} is not built; call it once on an example batch")
    if isinstance(model, keras.Sequential):
        return _any_batch(model.inputs[0].shape, model.inputs[0].dtype)
    if getattr(model, "inputs", None):
        return model.input
    shapes = (model.get_build_config() or {}).get("input_shape")
    if isinstance(shapes, dict):
        return {key: _any_batch(shape, model.input_dtype) for key, shape in shapes.items()}
    if shapes and isinstance(shapes[0], (list, tuple)):
        return [_any_batch(shape, model.input_dtype) for shape in shapes]
    if shapes:
        return _any_batch(shapes, model.input_dtype)
    raise UnsupportedModel(f"Keras model {model.name!r} does not tell its input shape; wrap it in a tf.function")


def _any_batch(shape: Any, dtype: str) -> Any:
    """A model built by a call remembers the size of that batch, which means nothing."""
    return import_keras().KerasTensor((None, *shape[1:]), dtype=dtype)


def _input_names(model: Any, structure: Any, leaves: list[Any]) -> list[str]:
    symbolic = getattr(model, "inputs", None)
    if symbolic:
        layers = {id(tensor): tensor._keras_history.operation.name for tensor in symbolic}
        return [layers.get(id(leaf), symbolic[0]._keras_history.operation.name) for leaf in leaves]
    if isinstance(structure, dict):
        return sorted(structure)
    argument = next(iter(inspect.signature(model.call).parameters))
    return [argument] if len(leaves) == 1 else [f"{argument}_{index}" for index in range(len(leaves))]


def _output_names(model: Any, concrete: Any) -> list[str]:
    if isinstance(concrete.structured_outputs, dict) or not getattr(model, "outputs", None):
        return output_names(concrete)
    return [tensor._keras_history.operation.name for tensor in model.outputs]


def _in_order(outputs: tuple[Endpoint, ...], structure: Any) -> tuple[Endpoint, ...]:
    """TensorFlow sorts a dictionary's outputs by key; the user knows them in the dictionary's own order."""
    if not isinstance(structure, dict) or len(structure) != len(outputs):
        return outputs
    by_key = dict(zip(sorted(structure), outputs, strict=True))
    return tuple(by_key[key] for key in structure)
