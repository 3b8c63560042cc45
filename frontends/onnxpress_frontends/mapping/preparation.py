"""The graph that tf2onnx is given: without variables, calls and foldable constants, and with big weights outside."""

from __future__ import annotations

from dataclasses import replace

from onnxpress_frontends.mapping import dequantize_decoding, grappler, quantization_carriers, weight_handles
from onnxpress_frontends.mapping.compiled_calls import release_calls
from onnxpress_frontends.mapping.control_flow import keep_control_flow, separate_calls
from onnxpress_frontends.mapping.freezing import Frozen, freeze
from onnxpress_frontends.mapping.raising.graph_raising import raise_control_flow
from onnxpress_frontends.mapping.tensor_arrays import check_tensor_arrays
from onnxpress_frontends.mapping.tensor_lists.settling import settle_tensor_lists
from onnxpress_frontends.opening.named_function import NamedFunction
from onnxpress_frontends.reachability import keep_reachable


def prepare(source: NamedFunction) -> Frozen:
    """Freeze a function, let grappler inline and fold, and settle what tf2onnx gets wrong.

    Raises:
        InvalidModel: A variable has no value.
        UnsupportedModel: A variable or a tensor list is used as only TensorFlow can.
    """
    frozen = freeze(source)
    raise_control_flow(frozen.graph, [*frozen.inputs, *frozen.outputs])
    keep_control_flow(frozen.graph)
    release_calls(frozen.graph)
    weight_handles.put_back_small(frozen.graph, frozen.weights)
    dequantize_decoding.decode(frozen.graph, frozen.weights)
    graph = grappler.optimize(frozen.graph, [*frozen.inputs, *frozen.outputs], frozen.weights.keys())
    separate_calls(graph)
    settle_tensor_lists(graph)
    check_tensor_arrays(graph)
    quantization_carriers.carry(graph, frozen.weights)
    keep_reachable(graph.node, [*frozen.inputs, *frozen.outputs])
    weight_handles.drop_unused(graph, frozen.weights)
    weight_handles.hide(graph, frozen.weights, frozen.outputs)
    return replace(frozen, graph=graph)
