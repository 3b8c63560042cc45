"""A deploy model held to the integers of the quantised graph it is made from, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from integer_layers import integer_layers
from onnxpress.ascend.checking import check
from onnxpress.ascend.layers import layers
from onnxpress.ascend.simulation.simulator import Simulator
from onnxpress_backends.ascend.deploying import deployed


def deployed_exactly(model: ir.Model, feeds: Mapping[str, Any], *, expected: int) -> ir.Model:
    """The deploy model of `model`, once each layer has given the accumulator and the floats that int64 gives."""
    deploy = deployed(model)
    check(deploy)
    found = {str(layer.cube.name): layer for layer in layers(deploy)}
    assert len(found) == expected
    probes = [
        str(value.name)
        for layer in found.values()
        for value in (layer.quant.outputs[0], layer.dequant.inputs[0], layer.dequant.outputs[0])
        if value is not None
    ]
    values = Simulator(deploy, "rint", threads=1, probes=probes).run(feeds)
    for reference in integer_layers(model):
        layer = found[reference.node.name or reference.output]
        q = values[str(layer.quant.outputs[0].name)].astype(np.int64) + (reference.zero_point - layer.offset)
        if reference.source in feeds:
            limits = (-128, 127) if reference.zero_point == layer.offset else (0, 255)
            rounded = np.rint(feeds[reference.source] / reference.scale) + reference.zero_point
            np.testing.assert_array_equal(q, rounded.clip(*limits))
        accumulator = reference.accumulator(q)
        assert layer.dequant.inputs[0] is not None
        np.testing.assert_array_equal(values[str(layer.dequant.inputs[0].name)], accumulator)
        np.testing.assert_array_equal(values[str(layer.dequant.outputs[0].name)], reference.floats(accumulator))
    return deploy
