"""Operators and options that TensorFlow's converter folds away or no longer writes, in files made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

ROWS, CUBE, IMAGE = (("float32", shape) for shape in ((2, 6), (2, 3, 4), (1, 2, 2, 3)))


def numbers(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


CASES: list[tuple[str, list[Any], Any, dict[str, Any]]] = [
    ("BROADCAST_ARGS", [("int32", (2,)), np.array([4, 1, 1], np.int32)], ("int32", (3,)), {}),
    ("EMBEDDING_LOOKUP", [("int32", (4,)), numbers(3, 5)], ("float32", (4, 5)), {}),
    ("EXPAND_DIMS", [ROWS, np.array(1, np.int32)], ("float32", (2, 1, 6)), {}),
    ("FILL", [np.array([2, 3], np.int32), ("float32", ())], ("float32", (2, 3)), {}),
    ("FULLY_CONNECTED", [CUBE, numbers(5, 4), numbers(5)], ("float32", (6, 5)), {"keepNumDims": False}),
    ("FULLY_CONNECTED", [CUBE, numbers(5, 4), None], ("float32", (2, 3, 5)), {"keepNumDims": True}),
    ("LOGICAL_AND", [("bool", (4,)), ("bool", (4,))], ("bool", (4,)), {}),
    ("LOGICAL_OR", [("bool", (4,)), ("bool", (4,))], ("bool", (4,)), {}),
    ("PRELU", [IMAGE, numbers(1, 1, 3)], IMAGE, {}),
    ("RANGE", [np.array(-3, np.int32), ("int32", ()), np.array(1, np.int32)], ("int32", (0,)), {}),
    ("RANK", [ROWS], ("int32", ()), {}),
    ("SHAPE", [ROWS], ("int32", (2,)), {"outType": 2}),
    ("SOFTMAX", [ROWS], ROWS, {"beta": 2.5}),
    ("SQUEEZE", [("float32", (2, 1, 6))], ("float32", (2, 6)), {"squeezeDims": [1]}),
    ("STRIDED_SLICE", [ROWS, *np.array([[0, 1], [2, 3], [1, 1]], np.int32)], ("float32", (2, 3)), {"offset": True}),
    ("TRANSPOSE_CONV", [np.array([1, 4, 4, 2], np.int32), numbers(2, 2, 2, 3), IMAGE, numbers(2)],
     ("float32", (1, 4, 4, 2)), {"strideH": 2, "strideW": 2, "padding": 1, "fusedActivationFunction": 1}),
    ("ZEROS_LIKE", [ROWS], ROWS, {}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "operands", "result", "options"), CASES)
def test_the_interpreter_agrees(assemble: Any, agree: Any, code: str, operands: Any, result: Any, options: Any) -> None:
    agree(assemble(code, operands, result, **options))


def test_integers_of_four_bits(assemble: Any, agree: Any) -> None:
    """The interpreter quantises what comes in to eight bits."""
    kernel = np.random.default_rng(0).integers(-7, 8, (5, 4))
    halves = (kernel.reshape(-1, 2) & 15).astype(np.uint8)

    def pack(model: Any) -> None:
        from tensorflow.lite.python.schema_py_generated import QuantizationParametersT

        tensor = model.subgraphs[0].tensors[1]
        tensor.type, tensor.shape = 17, [5, 4]
        tensor.quantization = QuantizationParametersT(scale=[0.1, 0.2, 0.3, 0.4, 0.5], zeroPoint=[0] * 5)
        model.buffers[tensor.buffer].data = halves[:, 0] | halves[:, 1] << 4

    path = assemble(
        "FULLY_CONNECTED", [("float32", (2, 4)), numbers(1), None], ("float32", (2, 5)), alter=pack, keepNumDims=False
    )
    model = agree(path, rtol=0.02)
    (integers,) = (value for value in model.graph.initializers.values() if value.shape == (4, 5))
    np.testing.assert_array_equal(integers.const_value.numpy(), kernel.T)


def test_a_kernel_sparse_by_blocks(assemble: Any, agree: Any) -> None:
    """Rows dense, columns in compressed blocks of four, as kernels for sparse dense layers have it."""
    kernel = np.zeros((3, 8), np.float32)
    kernel[0, :4], kernel[2, 4:] = numbers(4), numbers(4) + 1

    def compress(model: Any) -> None:
        from tensorflow.lite.python import schema_py_generated as schema

        tensor = model.subgraphs[0].tensors[1]
        tensor.shape = [3, 8]
        columns = schema.DimensionMetadataT(format=1)
        columns.arraySegmentsType = columns.arrayIndicesType = schema.SparseIndexVector.Uint8Vector
        columns.arraySegments, columns.arrayIndices = schema.Uint8VectorT([0, 1, 1, 2]), schema.Uint8VectorT([0, 1])
        levels = [schema.DimensionMetadataT(denseSize=3), columns, schema.DimensionMetadataT(denseSize=4)]
        tensor.sparsity = schema.SparsityParametersT(traversalOrder=[0, 1, 2], blockMap=[1], dimMetadata=levels)
        model.buffers[tensor.buffer].data = np.frombuffer(kernel[[0, 2]][kernel[[0, 2]] != 0].tobytes(), np.uint8)

    operands = [("float32", (2, 8)), numbers(1), None]
    model = agree(assemble("FULLY_CONNECTED", operands, ("float32", (2, 3)), alter=compress, keepNumDims=False))
    (weight,) = model.graph.initializers.values()
    np.testing.assert_array_equal(weight.const_value.numpy(), kernel.T)
