"""What the functions compute, number by number, is what the kernels of the adapter compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxpress.ascend.operators import OPERATORS, pack
from onnxpress_backends.ascend.frozen_graphs.simulation import function
from onnxpress_backends.tensorflow.graphs import graph_def
from onnxpress_backends.tensorflow.graphs.dtypes import DType, of_numpy
from onnxpress_backends.tensorflow.graphs.graph import Graph, Tensor
from onnxpress_backends.tensorflow.graphs.op_definitions import definition
from onnxpress_backends.tensorflow.graphs.protos import protos

FLOATS = st.floats(-300, 300, width=32, allow_subnormal=False)
HALVES = st.integers(-300, 300).map(lambda number: number + 0.5)


def run(op: str, *arrays: Any, optimised: bool = True, **attrs: Any) -> Any:
    """A node of the operator `op` in stock TensorFlow."""
    import tensorflow as tf

    graph = Graph()
    feeds = {f"x{index}": np.asarray(array) for index, array in enumerate(arrays)}
    fed = [
        Tensor(graph.add("Placeholder", name=name, dtype=of_numpy(array.dtype), shape=array.shape))
        for name, array in feeds.items()
    ]
    graph.reserve(["y"])
    graph.finish({"y": Tensor(graph.add(op, *fed, **attrs))})
    message = graph_def.message(graph)
    message.library.function.append(function(op))
    with tf.Graph().as_default() as imported:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(message.SerializeToString()), name="")
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = not optimised
    with tf.compat.v1.Session(graph=imported, config=config) as session:
        return session.run("y:0", {f"{name}:0": array for name, array in feeds.items()})


def round_away(x: Any) -> Any:
    """C's round: halves away from zero."""
    return np.trunc(x) + np.where(np.abs(x - np.trunc(x)) >= 0.5, np.sign(x), 0)


@settings(max_examples=25, deadline=None)
@given(
    numbers=st.lists(st.one_of(FLOATS, HALVES), min_size=1, max_size=40),
    scale=st.sampled_from([1.0, 0.5, 31.7, 1e-6, 8388608.0]),
    offset=st.integers(-128, 127),
)
def test_quant(numbers: list[float], scale: float, offset: int) -> None:
    x = np.array(numbers, np.float32)
    expected = np.clip(round_away(x * np.float32(scale)) + offset, -128, 127) - offset
    np.testing.assert_array_equal(run("AscendQuant", x, scale=scale, offset=float(offset)), expected)


@pytest.mark.parametrize("optimised", [True, False])
def test_quant_where_adding_a_half_would_round_up(optimised: bool) -> None:
    x = np.array([0.49999997, -0.49999997, 0.5, -0.5, 1.5, 2.5, 8388607.5, np.inf, -np.inf, -0.0], np.float32)
    given_ = run("AscendQuant", x, scale=1.0, offset=0.0, optimised=optimised)
    np.testing.assert_array_equal(given_, [0, 0, 1, -1, 2, 3, 127, 127, -128, 0])


@settings(max_examples=10, deadline=None)
@given(numbers=st.lists(FLOATS, min_size=6, max_size=6), channels=st.booleans(), seed=st.integers(0, 99))
def test_dequant(numbers: list[float], channels: bool, seed: int) -> None:
    x = np.array(numbers, np.float32).reshape(2, 3)
    scales = np.random.default_rng(seed).uniform(1e-6, 10, 3 if channels else 1).astype(np.float32)
    np.testing.assert_array_equal(run("AscendDequant", x, pack(scales), ksize=[1, 1]), x * scales)


def test_dequant_takes_the_low_half_of_a_word() -> None:
    words = pack([0.5, 3.0]) | np.uint64(7 << 32)
    x = np.ones((4, 2), np.float32)
    np.testing.assert_array_equal(run("AscendDequant", x, words, ksize=[1, 1]), x * np.float32([0.5, 3.0]))


def test_weight_quant() -> None:
    weight = np.arange(-128, 128, dtype=np.int8).reshape(4, 4, 4, 4)
    for offset in (np.int8([0]), np.arange(4, dtype=np.int8).reshape(1, 1, 4, 1)):
        given_ = run("AscendWeightQuant", weight, offset, T=DType.FLOAT)
        np.testing.assert_array_equal(given_, weight.astype(np.float32) - offset)


def test_anti_quant_leaves_the_offset_alone_which_is_gone_already() -> None:
    x = np.arange(-5, 5, dtype=np.float32)
    np.testing.assert_array_equal(run("AscendAntiQuant", x, scale=0.3, offset=7.0), x * np.float32(0.3))


@pytest.mark.parametrize("optimised", [True, False])
def test_products_by_constants_stay_apart(optimised: bool) -> None:
    """One Mul by the product of two constants gives other bits."""
    x = np.float32([0.1, 0.7, 1.3, 2.9])
    once = run("AscendAntiQuant", x, scale=1 / 3, offset=0.0, optimised=optimised)
    np.testing.assert_array_equal(once, x * np.float32(1 / 3))


@pytest.mark.parametrize("op", OPERATORS)
def test_signature(op: str) -> None:
    signature = function(op).signature
    known = definition(op)
    assert signature.name == op and not signature.is_stateful
    assert [argument.name for argument in signature.input_arg] == [name for name, _ in known.inputs]
    assert [argument.name for argument in signature.output_arg] == [name for name, _ in known.outputs]
    assert {attribute.name: attribute.type for attribute in signature.attr} == dict(known.attrs)
    assert function(op).SerializeToString(deterministic=True) == function(op).SerializeToString(deterministic=True)


def test_operators_are_those_of_the_adapter() -> None:
    """`amct_ops.cc`: what is in the file and what a graph may leave out."""
    assert definition("AscendQuant").defaults == {"dst_type": "INT8", "quant_bits": 8}
    assert definition("AscendDequant").inputs == (("x", "T"), ("deq_scale", f"={DType.UINT64.value}"))
    assert "ksize" not in definition("AscendDequant").defaults
    assert definition("AscendWeightQuant").inputs == (
        ("x", f"={DType.INT8.value}"),
        ("offset_w", f"={DType.INT8.value}"),
    )
    assert definition("AscendAntiQuant").attrs == {"T": "type", "scale": "float", "offset": "float"}


def test_a_function_reads_its_attributes_where_it_is_called() -> None:
    bodies = {op: function(op).node_def for op in ("AscendQuant", "AscendAntiQuant", "AscendDequant")}
    asked = {
        op: sorted(value.placeholder for node in body for value in node.attr.values() if value.placeholder)
        for op, body in bodies.items()
    }
    assert asked == {"AscendQuant": ["offset", "scale"], "AscendAntiQuant": ["scale"], "AscendDequant": []}


def test_nothing_of_tensorflow_is_imported(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = (
        "import sys; from onnxpress_backends.ascend.frozen_graphs.simulation import function; "
        "function('AscendQuant'); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    assert protos().function is not None
