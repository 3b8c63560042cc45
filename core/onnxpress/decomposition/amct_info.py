"""The info file of AMCT's ``auto_decomposition`` for PyTorch, which ``decompose_network`` replays.

    [{"ori_layer_info": {"name": "layer1.conv", "in_channels": 64, "out_channels": 64, "kernel_size": [3, 3],
                         "stride": [1, 1], "dilation": [1, 1], "groups": 1},
      "mode": "SCFK",
      "decom_nodes": {"first": {"weight_shape": [32, 64, 3, 1]}, "last": {"weight_shape": [64, 32, 1, 3]}}}, ...]

The name is that of a module, whose weight PyTorch's exporter calls ``<name>.weight``; padding is not in the file.  The
mode says which side of the kernel's matrix the channels and the kernel are on, and with that which axis comes first:

    FCSK, SCFK  the height    FCFK, SCSK  the width

Source: ``tensor_decompose/tensor_decompose.py`` of ``hicann/amct``.
"""

from __future__ import annotations

from typing import Any

from onnxpress.decomposition.json_entries import Entry, entries
from onnxpress.decomposition.layer_stacks import Layer, Stack
from onnxpress.errors import InvalidData

_FIRST_AXIS = {"FCFK": 1, "FCSK": 0, "SCFK": 0, "SCSK": 1}


def stacks(document: Any) -> list[Stack]:
    """What the parsed file says.

    Raises:
        InvalidData: It is not as AMCT writes it, or contradicts itself.
    """
    return [_stack(entry) for entry in entries(document, "layers")]


def _stack(entry: Entry) -> Stack:
    layer = entry.entry("ori_layer_info")
    name = layer.text("name")
    layer, entry = layer.called(f"layer {name!r}"), entry.called(f"layer {name!r}")
    if layer.size("groups") != 1:
        raise InvalidData(f"layer {name!r} has {layer.size('groups')} groups, which no stack can have")
    mode, parts = entry.word("mode", tuple(_FIRST_AXIS)), entry.entry("decom_nodes")
    shapes = [parts.entry(role).sizes("weight_shape") for role in ("first", "last")]
    stack = Stack(
        layer=Layer(
            name=name,
            operator="Conv",
            weight=f"{name}.weight",
            weight_shape=(layer.size("out_channels"), layer.size("in_channels"), *layer.sizes("kernel_size")),
            strides=layer.sizes("stride"),
            pads=None,
            dilations=layer.sizes("dilation"),
        ),
        form="spatial",
        first_axes=(_FIRST_AXIS[mode],),
        ranks=shapes[0][:1],
    )
    wanted = [part.weight_shape for part in stack.parts]
    if shapes != wanted:
        found, made = ([list(shape) for shape in both] for both in (shapes, wanted))
        raise InvalidData(f"layer {name!r}: mode {mode} makes weights of shape {made}, not {found}")
    return stack
