"""Keras models in memory, traced for inference under the names of their layers.

Inputs are called as their `keras.Input`; outputs as the layer that makes them, or as the key where the model returns a
dictionary.  A subclassed model has no such graph: its input is called as the first argument of `call`.
"""

from __future__ import annotations

import inspect
from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.functions import output_names
from onnxpress_frontends.named_function import NamedFunction, arguments, endpoints
from onnxpress_frontends.tensorflow_import import import_keras, import_tensorflow, quiet


def trace_keras(model: Any) -> NamedFunction:
    """The inference function of a built Keras 3 model.

    Raises:
        UnsupportedModel: The model is not built, or tracing fails.
    """
    tf, keras = import_tensorflow(), import_keras()
    structure, names = _signature(model)
    specs = [tf.TensorSpec(item.shape, item.dtype, name=name) for item, name in zip(structure[1], names, strict=True)]

    def infer(*tensors: Any) -> Any:
        return model(keras.tree.pack_sequence_as(structure[0], tensors), training=False)

    try:
        with quiet():
            concrete = tf.function(infer, input_signature=specs, autograph=False).get_concrete_function()
    except Exception as error:  # tracing runs the model's Python, which may raise anything
        raise UnsupportedModel(
            f"Keras model {model.name!r} cannot be traced ({first_line(error)}); "
            "wrap it in a tf.function with an input_signature"
        ) from error
    inputs = endpoints(names, arguments(concrete))
    outputs = endpoints(_output_names(model, concrete), concrete.outputs, taken=names)
    ordered = _in_order(outputs, concrete)
    return NamedFunction(title=model.name, function=concrete, inputs=inputs, outputs=ordered, owner=model)


def _signature(model: Any) -> tuple[tuple[Any, list[Any]], list[str]]:
    """How the model takes its inputs: the structure, its leaves (with shape and dtype), and a name for each leaf."""
    keras = import_keras()
    if not model.built:
        raise UnsupportedModel(f"Keras model {model.name!r} is not built; call it once on an example batch")
    if getattr(model, "inputs", None):
        structure = model.inputs[0] if len(model.inputs) == 1 else model.inputs
        if isinstance(model, keras.Model) and isinstance(getattr(model, "input", None), dict):
            structure = model.input
        leaves = keras.tree.flatten(structure)
        return (structure, leaves), [leaf._keras_history.operation.name for leaf in leaves]
    return _subclassed_signature(model)


def _subclassed_signature(model: Any) -> tuple[tuple[Any, list[Any]], list[str]]:
    keras = import_keras()
    shapes = (model.get_build_config() or {}).get("input_shape")
    if shapes is None:
        raise UnsupportedModel(f"Keras model {model.name!r} does not tell its input shape; wrap it in a tf.function")
    argument = next(iter(inspect.signature(model.call).parameters))
    if isinstance(shapes, dict):
        structure = {key: _batch_of(keras, shape, model.input_dtype) for key, shape in shapes.items()}
        leaves = keras.tree.flatten(structure)
        return (structure, leaves), sorted(structure)
    if shapes and isinstance(shapes[0], (list, tuple)):
        leaves = [_batch_of(keras, shape, model.input_dtype) for shape in shapes]
        return (list(leaves), leaves), [f"{argument}_{index}" for index in range(len(leaves))]
    leaf = _batch_of(keras, shapes, model.input_dtype)
    return (leaf, [leaf]), [argument]


def _batch_of(keras: Any, shape: Any, dtype: str) -> Any:
    return keras.KerasTensor((None, *shape[1:]), dtype=dtype)


def _output_names(model: Any, concrete: Any) -> list[str]:
    if isinstance(concrete.structured_outputs, dict) or not getattr(model, "outputs", None):
        return output_names(concrete)
    return [tensor._keras_history.operation.name for tensor in model.outputs]


def _in_order(outputs: tuple[Any, ...], concrete: Any) -> tuple[Any, ...]:
    """TensorFlow sorts a dictionary's outputs by key; the user knows them in the dictionary's own order."""
    structure = concrete.structured_outputs
    if not isinstance(structure, dict) or len(structure) != len(outputs):
        return outputs
    rank = {key: index for index, key in enumerate(structure)}
    order = sorted(range(len(outputs)), key=lambda index: rank[sorted(structure)[index]])
    return tuple(outputs[index] for index in order)
