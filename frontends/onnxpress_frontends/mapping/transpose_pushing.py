"""tf2onnx's Transpose optimiser, mended in four places.

It fails on a scalar added after a convolution without bias (the hard swish of MobileNetV3), which leaves a pair of
Transposes around every layer; here a scalar passes as any operand does.  A convolution that takes what is added to it
as its bias loses its name; here it keeps it.  It looks at all nodes anew after every step, which takes most of the
conversion of a deep network; here it goes on with the next Transpose.  And it passes what carries a grid
(`quantization_carriers`), whose axis moves with it.
"""

from __future__ import annotations

from typing import Any

from onnxpress_frontends.mapping import grid_attributes
from onnxpress_frontends.mapping.quantization_carriers import CARRIER


def optimizer() -> Any:
    """The class."""
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer, is_transpose, is_useless_transpose

    class PushTranspose(TransposeOptimizer):  # type: ignore[misc]
        def _add_handler(self, trans: Any, node: Any) -> Any:
            added = node.inputs[1]
            if added.is_const() and added.get_tensor_value(as_list=False).ndim == 0:
                return self._handle_node_having_branches(trans, node)
            layer = trans.inputs[0]
            acted = super()._add_handler(trans, node)
            if self._g.get_node_by_name(layer.name) is None:
                _rename(self._g, trans.inputs[0], layer.name)
            return acted

        def _optimize_at_current_graph_level(self, graph: Any) -> Any:
            self._g = graph
            self.pre_optimize_action()
            while self._sweep(graph):
                self.graph_been_opt = True
            self.merge_duplicated_transposes()
            self.post_optimize_action()
            return graph

        def _sweep(self, graph: Any) -> bool:
            acted = False
            for trans in [node for node in graph.get_nodes() if is_transpose(node)]:
                if graph.get_node_by_name(trans.name) is not trans:
                    continue
                acted = self._handle_nhwc_tranpose(trans) or acted
                if graph.get_node_by_name(trans.name) is not trans:
                    acted = True  # it went into the branches behind it
                elif is_useless_transpose(trans):
                    self._remove_useless_tranpose(trans)
                    acted = True
            return acted

        def _initialize_handlers(self) -> None:
            super()._initialize_handlers()
            self._handler_map[CARRIER] = self._carrier_handler

        def _carrier_handler(self, trans: Any, node: Any) -> bool:
            if not self._switch_transpose_and_node(node, trans):
                return False
            axis, perm = node.get_attr_value(grid_attributes.AXIS), trans.get_attr_value("perm")
            if axis is not None:
                node.set_attr(grid_attributes.AXIS, perm[axis] - len(perm))
            return True

    return PushTranspose


def _rename(graph: Any, node: Any, name: str) -> None:
    old, inputs, attributes = node.output[0], node.input, node.get_onnx_attrs()
    shapes, dtypes = node.output_shapes, node.output_dtypes
    graph.remove_node(node.name)
    renamed = graph.make_node(node.type, inputs, attr=attributes, name=name, shapes=shapes, dtypes=dtypes)
    graph.replace_all_inputs(old, renamed.output[0])
