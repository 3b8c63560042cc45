"""Keras models in memory, traced for inference under the names of their layers.

Inputs are called as their `keras.Input`; outputs as the layer that makes them, or as the key where the model returns a
dictionary, ``key_0``, ``key_1`` where lists are in it.  A subclassed model has no such graph: its inputs are called as
the first argument of `call`, or as the keys of the dictionary it takes.
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
    outputs = _outputs(model, concrete, taken=[end.name for end in inputs])
    return NamedFunction(title=model.name, function=concrete, inputs=inputs, outputs=outputs, owner=model)


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


def _outputs(model: Any, concrete: Any, *, taken: list[str]) -> tuple[Endpoint, ...]:
    """The outputs under their names, a dictionary's in the dictionary's own order; TensorFlow sorts them by key."""
    structure = concrete.structured_outputs
    if isinstance(structure, dict):
        ordered = endpoints(_paths(structure, sort=True), concrete.outputs, taken=taken)
        by_path = dict(zip(_paths(structure, sort=True), ordered, strict=True))
        return tuple(by_path[path] for path in _paths(structure, sort=False))
    if getattr(model, "outputs", None):
        names = [tensor._keras_history.operation.name for tensor in model.outputs]
        return endpoints(names, concrete.outputs, taken=taken)
    return endpoints(output_names(concrete), concrete.outputs, taken=taken)


def _paths(structure: Any, *, sort: bool, prefix: str = "") -> list[str]:
    """The way to every tensor of nested dictionaries and lists, joined by underscores."""
    if structure is None:
        return []
    if isinstance(structure, dict):
        items = [(str(key), structure[key]) for key in (sorted(structure) if sort else structure)]
    elif isinstance(structure, (list, tuple)):
        items = [(str(index), child) for index, child in enumerate(structure)]
    else:
        return [prefix]
    paths = [(f"{prefix}_{key}" if prefix else key, child) for key, child in items]
    return [name for path, child in paths for name in _paths(child, sort=sort, prefix=path)]
