"""ONNX operators that Keras has a layer for and TensorFlow has none: they skip TensorFlow's words.

Each is a rule for the lowering, as those of `onnxpress_backends.tensorflow.rules`, that leaves a node of an operator of
our own, ``keras.LSTM`` say, and a builder that makes the layer of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxpress_backends.keras.assembly import Assembly, Builder
from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.graph import Node, Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical
from onnxpress_backends.tensorflow.layout.values import Laid

_BATCH_FIRST = Layout((1, 0, 2))
"""``[time, batch, features]`` with the batch in front."""

_DIRECTION_FIRST = Layout((1, 2, 0, 3))
"""``[time, direction, batch, units]`` as `_build_recurrent` stacks it."""

_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2), "RNN": (0,)}
"""ONNX's gates in the order of Keras: iofc becomes ifco."""

_ACTIVATIONS = {
    "LSTM": ["Sigmoid", "Tanh", "Tanh"],
    "GRU": ["Sigmoid", "Tanh"],
    "RNN": ["Tanh"],
}
_LAYERS = {"LSTM": "LSTM", "GRU": "GRU", "RNN": "SimpleRNN"}


def composite(call: Call, op: str, tensor: Tensor, **attrs: Any) -> Tensor:
    """A node of an operator of our own, ``keras.LSTM`` say, that takes one tensor."""
    node = Node(op, call.graph.unique(call.title), (tensor,), attrs, (tensor.dtype,), origin=call.label)
    call.graph.nodes.append(node)
    call.made.append(node)
    return Tensor(node)


def required(call: Call, index: int) -> Any:
    """The array of an input; a call without it is refused."""
    array = call.constant(index)
    if array is None:
        call.refuse(f"input {index} is computed, and a layer of Keras owns its weights")
    return array


def recurrent(call: Call) -> list[Laid | None]:
    """LSTM, GRU and RNN with the activations of Keras, from a state of zeros: the whole sequence, or its last step."""
    kind = call.node.op_type
    direction = call.attribute("direction", "forward")
    activations = call.attribute("activations")
    directions = 2 if direction == "bidirectional" else 1
    if activations and activations != _ACTIVATIONS[kind] * directions:
        call.refuse(f"Keras has it with the activations {_ACTIVATIONS[kind]} only, not {activations}")
    if any(call.has(index) for index in (4, 7)) or call.attribute("clip") or call.attribute("layout", 0):
        call.refuse("Keras has no lengths of sequences, peepholes, clipping or batch-first layout for it")
    for index in (5, 6):
        if call.has(index) and (call.constant(index) is None or np.any(call.constant(index))):
            call.refuse("Keras begins with a state of zeros")
    if call.attribute("input_forget", 0) or (kind == "GRU" and not call.attribute("linear_before_reset", 0)):
        call.refuse("Keras has it with linear_before_reset=1 and input_forget=0 only")
    used = [index for index, output in enumerate(call.node.outputs) if output.uses() or output.is_graph_output()]
    if used not in ([0], [1]):
        call.refuse("Keras gives the whole sequence or its last step, not both, and not the state of the cell")
    attrs = {
        "weights": [_weights(call, index) for index in range(directions)],
        "direction": direction,
        "sequences": used == [0],
    }
    tensor = composite(call, f"keras.{kind}", call.tensor(0, _BATCH_FIRST), **attrs)
    layout = _DIRECTION_FIRST if used == [0] else logical(3)
    return [Laid(tensor, layout) if index in used else None for index in range(len(call.node.outputs))]


def _weights(call: Call, direction: int) -> list[Any]:
    """Kernel, recurrent kernel and bias of one direction as Keras has them."""
    kind = call.node.op_type
    order = _GATES[kind]
    kernels = [np.split(required(call, index)[direction], len(order)) for index in (1, 2)]
    kernel, recurrent_kernel = (np.concatenate([parts[gate] for gate in order]).T for parts in kernels)
    hidden = kernel.shape[1] // len(order)
    bias = required(call, 3)[direction] if call.has(3) else np.zeros(2 * kernel.shape[1], kernel.dtype)
    both = bias.reshape(2, len(order), hidden)[:, list(order)].reshape(2, -1)
    return [kernel, recurrent_kernel, both if kind == "GRU" else both.sum(0)]


def layer_normalization(call: Call) -> Laid:
    """LayerNormalization over the last axis with constant scale and bias."""
    axis, rank = call.attribute("axis", -1), call.rank(0)
    if axis % rank != rank - 1:
        call.refuse("Keras normalises over the last axis here")
    if any(output.uses() or output.is_graph_output() for output in call.node.outputs[1:]):
        call.refuse("Keras does not give the mean and the deviation")
    scale = required(call, 1)
    bias = required(call, 2) if call.has(2) else np.zeros_like(scale)
    width = call.shape(0)[-1]
    if width is None:
        call.refuse("the size of its last axis must be known")
    arrays = [np.broadcast_to(array, (width,)) for array in (scale, bias)]
    tensor = composite(
        call, "keras.LayerNormalization", call.tensor(0), weights=arrays, epsilon=call.attribute("epsilon", 1e-5)
    )
    return Laid(tensor, logical(rank))


def gelu(call: Call) -> Laid:
    """Gelu, exact or by tanh."""
    tensor, layout = call.value(0).laid
    approximate = call.attribute("approximate", "none") == "tanh"
    return Laid(composite(call, "keras.Gelu", tensor, approximate=approximate), layout)


RULES: Mapping[str, Rule] = {
    "GRU": recurrent,
    "Gelu": gelu,
    "LSTM": recurrent,
    "LayerNormalization": layer_normalization,
    "RNN": recurrent,
}


def _build_recurrent(assembly: Assembly, node: Node) -> Any:
    """One layer for each direction, stacked in front: ``[direction, batch, (time,) units]``."""
    import keras

    kind = _LAYERS[node.op.removeprefix("keras.")]
    x, sequences = assembly.of(node.inputs[0]), node.attrs["sequences"]
    backwards = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[node.attrs["direction"]]
    results = []
    for weights, back in zip(node.attrs["weights"], backwards, strict=True):
        config = {"units": weights[1].shape[0], "return_sequences": sequences, "go_backwards": back}
        result = assembly.layer(kind, node, x, weights=weights, **config)
        results.append(keras.ops.flip(result, 1) if back and sequences else result)
    return keras.ops.stack(results, axis=0) if len(results) > 1 else keras.ops.expand_dims(results[0], 0)


def _build_layer_norm(assembly: Assembly, node: Node) -> Any:
    x, weights = assembly.of(node.inputs[0]), node.attrs["weights"]
    return assembly.layer("LayerNormalization", node, x, weights=weights, epsilon=node.attrs["epsilon"])


def _build_gelu(assembly: Assembly, node: Node) -> Any:
    import keras

    return keras.ops.gelu(assembly.of(node.inputs[0]), approximate=node.attrs["approximate"])


BUILDERS: Mapping[str, Builder] = {
    "keras.GRU": _build_recurrent,
    "keras.Gelu": _build_gelu,
    "keras.LSTM": _build_recurrent,
    "keras.LayerNormalization": _build_layer_norm,
    "keras.RNN": _build_recurrent,
}
