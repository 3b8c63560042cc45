"""The object that is saved: TensorFlow's convention for reusable SavedModels, with a signature for serving.

``variables``, ``trainable_variables`` and ``regularization_losses`` are lists, and ``__call__(inputs, training=False)``
gives what the model gives: one tensor, or a dictionary when it has several outputs.  Several inputs come one by one, as
a list, or as a dictionary by name; a single one by itself or in such a dictionary.  The convention is that of
https://www.tensorflow.org/hub/reusable_saved_models; a ``tf.Module`` would come back without the lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnxpress_backends.saved_model.functions import Function

SIGNATURE = "serving_default"


def reusable(tf: Any, inference: Function, training: Function, variables: Sequence[Any], weight_map: Path) -> Any:
    """What ``tf.saved_model.save`` takes.

    Args:
        tf: TensorFlow.
        inference: The model.
        training: The model in training; the same where training changes nothing.
        variables: All variables.
        weight_map: An asset that goes along.
    """
    root = tf.train.Checkpoint()
    root.variables = list(variables)
    root.trainable_variables = [variable for variable in variables if variable.trainable]
    root.regularization_losses = []
    root.onnxpress_weights = tf.saved_model.Asset(str(weight_map))
    root.__call__ = _call(tf, inference, training)
    return root


def _call(tf: Any, inference: Function, training: Function) -> Any:
    specs = inference.inputs
    names = [spec.name for spec in specs]

    def call(*inputs: Any, training: bool = False) -> Any:
        outputs = (train if training else inference).call(*_in_order(names, inputs))
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    train = training
    made = tf.function(call, autograph=False)
    forms: list[tuple[Any, ...]] = [specs, (dict(zip(names, specs, strict=True)),)]
    if len(specs) > 1:
        forms.append((list(specs),))
    for form in forms:
        for mode in (False, True):
            made.get_concrete_function(*form, training=mode)
    return made


def _in_order(names: Sequence[str], inputs: tuple[Any, ...]) -> Sequence[Any]:
    if len(inputs) == 1 and isinstance(inputs[0], dict):
        return [inputs[0][name] for name in names]
    return inputs[0] if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)) else inputs
