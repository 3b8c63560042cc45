"""What AMCT's ``auto_decomposition`` does with a convolution, for those who must reproduce it.

It leaves small ones as they are, parts all others into k x 1 and 1 x k so that the smaller side of the kernel goes with
the smaller number of channels, and cuts at a rank that is nearly a fixed share of the full one (`noise_ranks.amct`),
whatever that does to the error.
"""

from __future__ import annotations

from functools import partial

from onnxpress.decomposition.layer_stacks import Layer
from onnxpress.decomposition.noise_ranks import amct
from onnxpress_plugins.decomposition.candidates import Candidate, Option
from onnxpress_plugins.decomposition.ways import Way


def decide(candidate: Candidate) -> Option | str:
    """The stack that AMCT makes of a layer, or why it leaves it as it is."""
    layer = candidate.layer
    reason = obstacle(layer)
    if reason is not None:
        return f"AMCT leaves it as it is: {reason}"
    (way,) = amct_ways(layer)
    ranks = candidate.factorings[way].noise_ranks(partial(amct, channels=min(layer.weight_shape[:2])))
    return candidate.option(way, ranks)


def obstacle(layer: Layer) -> str | None:
    """Why AMCT does not touch a layer, None if it does."""
    channels = min(layer.weight_shape[:2])
    if len(layer.kernel) != 2:
        return "it is no 2-D convolution"
    if max(layer.dilations) > 1:
        return "it is dilated"
    if max(layer.strides) > 2:
        return "it has a stride above 2"
    taps = min(layer.kernel)
    if taps < 3 or taps * channels < 16 or (taps < 7 and channels < 64):
        return "it is too small"
    return None


def amct_ways(layer: Layer) -> tuple[Way, ...]:
    """The way in which AMCT parts a kernel, none for a layer that it does not touch."""
    if obstacle(layer) is not None:
        return ()
    outputs, inputs, height, width = layer.weight_shape
    return (Way("spatial", (0,) if (outputs >= inputs) == (height <= width) else (1,)),)
