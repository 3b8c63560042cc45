"""The stack in the place of a layer, with the bias that makes good what the layer loses on average."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from onnxpress.decomposition.layer_stacks import Stack
from onnxpress.decomposition.rewriting import bias_of, kernel_of, rewrite
from onnxpress_plugins.decomposition.composition import mean_shift

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress.naming import Names
    from onnxpress_plugins.decomposition.candidates import Candidate, Option


def replace_layer(node: ir.Node, candidate: Candidate, option: Option, names: Names) -> Stack:
    """Put an option of a layer in its place.

    Args:
        node: The layer: the candidate's node, or its like in a copy of the model.
        candidate: The layer with its factors.
        option: One of its options.
        names: The names of the model that the node is in; those of the stack are added.

    Returns:
        What was put there.

    Raises:
        UnsupportedModel: The model has a name that the stack needs.
    """
    weights, mean = candidate.weights(option), candidate.mean
    bias, own = None, None if mean is None else bias_of(node)
    if mean is not None:
        kernel = kernel_of(node)
        shift = mean_shift(kernel, weights, mean)
        bias = shift.astype(kernel.dtype) if own is None else (own + shift).astype(own.dtype)
    stack = replace(option.stack, new_bias=bias is not None)
    rewrite(node, stack, weights, names=names, bias=bias)
    return stack
