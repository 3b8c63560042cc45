"""The networks that ONNX's own tests carry without weights, with weights, at an opset that is read.

Each weight is a ConstantOfShape of 0.02 in the file; here it is random, and of a size that keeps activations as they
are.  A Softmax at the end is left out, which would give a single 1.  The files are of opset 9, which ONNX's converter
raises.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx_ir as ir

NETWORKS = (
    *("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet"),
    *("vgg19", "zfnet512"),
)


def light(name: str, opset: int = 11) -> ir.Model:
    """A network of `NETWORKS`.

    Args:
        name: Its name.
        opset: What it is raised to.
    """
    import onnx.backend.test
    from onnx_ir.passes.common import RemoveInitializersFromInputsPass, RemoveUnusedNodesPass

    from onnxpress import model_files
    from onnxpress.opset import at_least

    folder = Path(onnx.backend.test.__file__).parent / "data" / "light"
    model = model_files.load(folder / f"light_{name}.onnx")
    RemoveInitializersFromInputsPass()(model)
    model.ir_version = 7
    generator = np.random.default_rng(0)
    for node in list(model.graph):
        if node.op_type == "ConstantOfShape":
            _fill(model, node, generator)
    last = model.graph.outputs[0].producer()
    if last is not None and last.op_type == "Softmax" and last.inputs[0] is not None:
        model.graph.outputs[0] = last.inputs[0]
    RemoveUnusedNodesPass()(model)
    at_least(model, opset)
    return model


def _fill(model: ir.Model, node: ir.Node, generator: Any) -> None:
    import onnx_ir as ir

    given, output = node.inputs[0], node.outputs[0]
    assert given is not None
    assert given.const_value is not None
    shape = [int(size) for size in given.const_value.numpy()]
    if len(shape) > 1:
        array = generator.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / prod(shape[1:])))
    else:
        array = generator.uniform(0.5, 1.5, shape).astype(np.float32)
    name = f"{output.name}_weight"
    weight = ir.Value(name=name, const_value=ir.tensor(array, name=name), shape=ir.Shape(shape), type=output.type)
    weight.dtype = ir.DataType.FLOAT
    model.graph.register_initializer(weight)
    output.replace_all_uses_with(weight)
    model.graph.remove(node, safe=True)
