"""ConvTranspose becomes a layer of Keras, which knows two paddings.

    "same"      out = size * stride, and half of what the window overlaps is cut off the start
    "valid"     out = size * stride + max(window - stride, 0): nothing is cut off; a Cropping layer does it afterwards

What reaches beyond the last tap of the kernel (``output_padding``) neither gives, nor do these layers have groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxpress_backends.keras.assembly import Assembly, Builder
from onnxpress_backends.keras.composites import composite, required
from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.graph import Node
from onnxpress_backends.tensorflow.layout.layouts import channels_last
from onnxpress_backends.tensorflow.layout.values import Laid
from onnxpress_backends.tensorflow.rules.transposed_convolution import Spread, spreads_of


def transposed(call: Call) -> Laid:
    """ConvTranspose of one to three spatial axes, without groups and dilations."""
    rank = call.rank(0)
    kernel = required(call, 1)
    if call.attribute("group", 1) != 1 or set(call.attribute("dilations") or (1,)) != {1}:
        call.refuse("Keras has no groups and dilations for it here")
    if not 3 <= rank <= 5:
        call.refuse("Keras has it for one to three spatial axes")
    axes = spreads_of(call)
    same = all(each.is_same and each.slack.known == 0 for each in axes)
    crops = [] if same else [_crop(call, each) for each in axes]
    attrs = {
        "weights": [kernel.transpose(*range(2, rank), 1, 0), *([required(call, 2)] if call.has(2) else [])],
        "strides": tuple(each.stride for each in axes),
        "crops": tuple(crops),
        "padding": "same" if same else "valid",
    }
    tensor = composite(call, "keras.ConvTranspose", call.tensor(0, channels_last(rank)), **attrs)
    return Laid(tensor, channels_last(rank))


def _crop(call: Call, axis: Spread) -> tuple[int, int]:
    """What is cut off both ends of the whole."""
    before, beyond = axis.before.known, axis.beyond.known
    if before is None or beyond is None:
        call.refuse("Keras needs to know what is cut off")
    if before < 0 or beyond > 0 or axis.extent < axis.stride:
        call.refuse("Keras adds nothing behind the last tap of its kernel")
    return int(before), -int(beyond)


RULES: Mapping[str, Rule] = {"ConvTranspose": transposed}


def _build(assembly: Assembly, node: Node) -> Any:
    weights, crops = node.attrs["weights"], node.attrs["crops"]
    spatial = len(node.attrs["strides"])
    result = assembly.layer(
        f"Conv{spatial}DTranspose",
        node,
        assembly.of(node.inputs[0]),
        weights=weights,
        filters=weights[0].shape[-2],
        kernel_size=weights[0].shape[:spatial],
        strides=node.attrs["strides"],
        padding=node.attrs["padding"],
        use_bias=len(weights) > 1,
    )
    if not any(map(any, crops)):
        return result
    return assembly.layer(f"Cropping{spatial}D", node, result, cropping=crops if spatial > 1 else crops[0])


BUILDERS: Mapping[str, Builder] = {"keras.ConvTranspose": _build}
