"""Normalisations that TensorFlow has an operator for."""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.layouts import channels_last, last
from onnxpress_backends.tensorflow.values import Laid


def batch_normalization(call: Call) -> Laid:
    """BatchNormalization with the statistics it keeps."""
    layout = channels_last(call.rank(0))
    node = call.emit_node(
        "FusedBatchNormV3",
        call.tensor(0, layout),
        *(call.tensor(index) for index in (1, 2, 3, 4)),
        epsilon=call.attribute("epsilon", 1e-5),
        is_training=False,
    )
    from onnxpress_backends.tensorflow.graph import Tensor

    return Laid(Tensor(node), layout)


def softmax(call: Call) -> Laid:
    """Along one axis, which is made the last."""
    _, layout = call.value(0).permuted
    assert layout is not None
    wanted = last(layout, call.attribute("axis", -1))
    return Laid(call.emit("Softmax", call.tensor(0, wanted)), wanted)


RULES: Mapping[str, Rule] = {
    "BatchNormalization": batch_normalization,
    "Softmax": softmax,
}
