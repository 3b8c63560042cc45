from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.errors import InvalidModel
from onnxpress_frontends.tflite.contents import Tensor
from onnxpress_frontends.tflite.reading import read
from onnxpress_frontends.tflite_source import load


def stored(model: ir.Model) -> list[Any]:
    """The integers behind every DequantizeLinear of a constant, flat and sorted: layouts differ."""
    integers = [
        ir.convenience.get_const_tensor(node.inputs[0]) for node in model.graph if node.op_type == "DequantizeLinear"
    ]
    return sorted(sorted(each.numpy().reshape(-1).tolist()) for each in integers if each is not None)


def quantised(path: Path) -> list[Tensor]:
    return [tensor for tensor in read(path).graphs[0].tensors if tensor.grid is not None]


@pytest.mark.parametrize("kind", ["int8", "dynamic"])
def test_integers_scales_and_zero_points_are_those_of_the_file(write: Any, network: Any, kind: str) -> None:
    path = write(network, kind=kind)
    model = load(path)
    constants = [tensor for tensor in quantised(path) if tensor.data is not None]
    assert constants
    assert stored(model) == sorted(sorted(tensor.data.reshape(-1).tolist()) for tensor in constants)
    weights = {
        value.name: value.const_value.numpy() for value in model.graph.initializers.values() if value.const_value
    }
    scales = {array.tobytes() for name, array in weights.items() if name.endswith("_scale")}
    assert scales == {tensor.grid.scale.tobytes() for tensor in quantised(path) if tensor.grid is not None}


def test_every_integer_tensor_is_quantised_where_it_is_made(write: Any, network: Any) -> None:
    path = write(network, kind="int8")
    model = load(path)
    made = {index for operator in read(path).graphs[0].operators for index in operator.outputs}
    computed = [
        tensor for index, tensor in enumerate(read(path).graphs[0].tensors) if index in made and tensor.grid is not None
    ]
    assert sum(node.op_type == "QuantizeLinear" for node in model.graph) == len(computed)


def test_weights_are_stored_by_output_channel(write: Any, network: Any) -> None:
    model = load(write(network, kind="int8"))
    for node in model.graph:
        if node.op_type in ("Conv", "ConvTranspose"):
            kernel = node.inputs[1].producer()
            axis = 0 if node.op_type == "Conv" else 1
            assert (kernel.op_type, kernel.attributes.get_int("axis")) == ("DequantizeLinear", axis)
            assert node.inputs[2].producer().inputs[0].dtype == ir.DataType.INT32


def test_big_weights_are_not_copied_through_tensorflow(tf: Any, write: Any) -> None:
    kernel = np.random.default_rng(0).standard_normal((80, 90)).astype(np.float32)
    path = write(lambda x: x @ kernel, (2, 80))
    (weight,) = load(path).graph.initializers.values()
    assert weight.const_value is not None
    np.testing.assert_array_equal(weight.const_value.numpy(), kernel)


def test_the_same_bytes_every_time(write: Any, network: Any) -> None:
    path = write(network, kind="int8")
    first, second = (ir.serde.serialize_model(load(path)).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def test_names_are_those_of_the_layers(write: Any, network: Any) -> None:
    model = load(write(network))
    names = [node.name for node in model.graph]
    assert model.graph.name == "model"
    assert any("conv_1/" in name for name in names)
    assert not any(";" in name for name in names)


def _type(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[0]].type = 2


def _shape(model: Any) -> None:
    graph = model.subgraphs[0]
    tensor = graph.tensors[graph.inputs[0]]
    tensor.shape = np.array([2, 7], np.int32)


def _backwards(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.operators[0].inputs = [graph.outputs[0], *list(graph.operators[0].inputs)[1:]]


def _short(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs = model.subgraphs[0].operators[0].inputs[:1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_type, r"FULLY_CONNECTED 'Identity': it gives float32, and int32 in the file$"),
        (_shape, r"FULLY_CONNECTED 'Identity': Dimensions must be equal[^\n]+$"),
        (_backwards, r"'Identity' is used before it is computed$"),
        (_short, r"FULLY_CONNECTED 'Identity': not enough values to unpack[^\n]+$"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_operator(dense: Path, edit: Any, change: Any, message: str) -> None:
    with pytest.raises(InvalidModel, match=f"'dense' is corrupt: {message}"):
        load(edit(dense, change))
