"""What is known of a whole model's shapes: every rule is asked, node by node, each building on the answers before."""

from __future__ import annotations

import onnx_ir as ir

from onnxpress_plugins.cleaning.output_shapes import output_shape
from onnxpress_plugins.cleaning.shape_arithmetic import computed
from onnxpress_plugins.cleaning.shape_facts import ShapeFacts


def follow(model: ir.Model) -> ShapeFacts:
    """The facts about all values of `model`, subgraphs included."""
    facts = ShapeFacts()
    for graph in model.graphs():
        facts.meet(graph.inputs)
        for node in graph:
            sizes = output_shape(node, facts)
            if sizes is not None:
                facts.define(node.outputs[0], sizes)
            facts.meet(node.outputs)
            contents = computed(node, facts)
            if contents is not None:
                facts.hold(node.outputs[0], contents)
    return facts
