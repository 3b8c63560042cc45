"""BatchNormalization, with the statistics it keeps or, in training, with those of the batch.

Images whose channels are last go to FusedBatchNormV3; anything else is a product and a sum, as Keras writes it, in any
layout.  Where the model is to be trained on in TensorFlow (`Settings.training`), the new moving statistics are noted in
`Graph.updates`: ``new = old * momentum + batch * (1 - momentum)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical
from onnxpress_backends.tensorflow.layout.values import Laid
from onnxpress_backends.tensorflow.rules.normalization import per_channel

_WITH_MODE = 14
"""The opset since which an attribute says that statistics are those of the batch."""


def batch_normalization(call: Call) -> Laid | Sequence[Tensor | Laid]:
    """By the statistics that are given, or by those of the batch."""
    if call.opset < _WITH_MODE and any(output.name for output in call.node.outputs[1:]):
        call.refuse("statistics are outputs, which before opset 14 only training had")
    tensor, layout = call.value(0).permuted
    layout = layout or logical(call.rank(0))
    if call.attribute("training_mode", 0):
        return _by_batch(call, tensor, layout)
    training = call.scope.settings.training and call.scope.outer is None
    if layout.rank == 4 and layout.perm[-1] == 1 and tensor.dtype != DType.DOUBLE:
        return Laid(_fused(call, tensor, training=training), layout)
    if training:
        result, mean, variance = _by_batch(call, tensor, layout)
        _update(call, mean, variance)
        return result
    statistics = [per_channel(call, index, layout) for index in (3, 4)]
    return Laid(_normalized(call, tensor, layout, *statistics), layout)


def _fused(call: Call, tensor: Tensor, *, training: bool) -> Tensor:
    """One operator; in training it also gives the new moving statistics."""
    node = call.emit_node(
        "FusedBatchNormV3",
        tensor,
        *(call.cast(call.tensor(index), DType.FLOAT) for index in (1, 2, 3, 4)),
        epsilon=call.attribute("epsilon", 1e-5),
        is_training=training,
        exponential_avg_factor=1 - call.attribute("momentum", 0.9) if training else 1.0,
    )
    if training:
        _update(call, Tensor(node, 1), Tensor(node, 2))
    return Tensor(node)


def _normalized(call: Call, x: Tensor, layout: Layout, mean: Tensor, variance: Tensor) -> Tensor:
    """``x * inverse + (bias - mean * inverse)``; the small operands first."""
    kind = mean.dtype
    scale, bias = (call.cast(per_channel(call, index, layout), kind) for index in (1, 2))
    epsilon = call.const(call.attribute("epsilon", 1e-5), kind)
    inverse = call.emit("Mul", call.emit("Rsqrt", call.emit("AddV2", call.cast(variance, kind), epsilon)), scale)
    offset = call.emit("Sub", bias, call.emit("Mul", mean, inverse))
    product = call.emit("Mul", x, call.cast(inverse, x.dtype))
    return call.emit("AddV2", product, call.cast(offset, x.dtype))


def _by_batch(call: Call, tensor: Tensor, layout: Layout) -> tuple[Laid, Tensor, Tensor]:
    """By the moments of the batch; then the moving statistics, updated."""
    wide = tensor if tensor.dtype in (DType.FLOAT, DType.DOUBLE) else call.cast(tensor, DType.FLOAT)
    places = [place for place in range(layout.rank) if place != layout.axis(1)]
    axes = call.const(places, DType.INT32)
    mean = call.emit("Mean", wide, axes, keep_dims=True)
    variance = call.emit("Mean", call.emit("SquaredDifference", wide, mean), axes, keep_dims=True)
    result = Laid(_normalized(call, tensor, layout, mean, variance), layout)
    return result, _moved(call, 3, mean), _moved(call, 4, variance)


def _moved(call: Call, index: int, batch: Tensor) -> Tensor:
    """A moving statistic, moved toward that of the batch."""
    momentum = call.attribute("momentum", 0.9)
    old = call.tensor(index)
    new = call.cast(call.emit("Reshape", batch, call.const([-1], DType.INT32)), old.dtype)
    kept = call.emit("Mul", old, call.const(momentum, old.dtype))
    return call.emit("AddV2", kept, call.emit("Mul", new, call.const(1 - momentum, old.dtype)))


def _update(call: Call, mean: Tensor, variance: Tensor) -> None:
    for index, new in ((3, mean), (4, variance)):
        old = call.tensor(index)
        if old.node.weight is not None:
            call.graph.updates[old] = call.cast(new, old.dtype)


RULES: Mapping[str, Rule] = {
    "BatchNormalization": batch_normalization,
}
