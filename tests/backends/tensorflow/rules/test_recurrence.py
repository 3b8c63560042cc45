"""LSTM, GRU and RNN against onnxruntime: every input, direction, attribute and activation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress.testing import model

Agree = Callable[..., list[str]]

STEPS, BATCH, FEATURES, HIDDEN = 5, 3, 4, 2
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
INPUTS = ("X", "W", "R", "B", "lengths", "h", "c", "P")
OPTIONAL = ("B", "lengths", "h", "c", "P")


def case(
    op: str, given: str = "B", *, directions: int = 1, computed: str = "", outputs: str = "Y Yh Yc", **attributes: Any
) -> tuple[ir.Model, dict[str, np.ndarray[Any, Any]]]:
    """A model of one node with these optional inputs, and feeds; weights are constants unless they are `computed`."""
    generator, rows = np.random.default_rng(0), GATES[op] * HIDDEN
    batch_first = attributes.get("layout", 0)
    state = (BATCH, directions, HIDDEN) if batch_first else (directions, BATCH, HIDDEN)
    shapes = {
        "X": (BATCH, STEPS, FEATURES) if batch_first else (STEPS, BATCH, FEATURES),
        "W": (directions, rows, FEATURES),
        "R": (directions, rows, HIDDEN),
        "B": (directions, 2 * rows),
        "h": state,
        "c": state,
        "P": (directions, 3 * HIDDEN),
    }
    arrays = {name: generator.uniform(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    arrays["lengths"] = np.array([5, 2, 4], np.int32)
    names = [name for name in INPUTS if op == "LSTM" or name not in ("c", "P")]
    used = [name for name in names if name not in OPTIONAL or name in given.split()]
    declared = {name: f"{'int32' if name == 'lengths' else 'float'}{list(arrays[name].shape)} {name}" for name in used}
    if "X" in computed.split():
        declared["X"] = f"float[{'b,t' if batch_first else 't,b'},{FEATURES}] X"
    if directions == 2:
        attributes["direction"] = "bidirectional"
    spelt = ", ".join(f"{key} = {_spelt(value)}" for key, value in {"hidden_size": HIDDEN, **attributes}.items())
    results = outputs.split() if op == "LSTM" else [name for name in outputs.split() if name != "Yc"]
    text = f"""agraph ({", ".join(declared.values())}) => ({", ".join(name for name in results if name != "_")}) {{
        {", ".join("" if name == "_" else name for name in results)} =
            {op}<{spelt}>({", ".join(name if name in used else "" for name in names)})
    }}"""
    constants = {name: arrays[name] for name in used if name in "WRBP" and name not in computed.split()}
    feeds = {name: arrays[name] for name in used if name not in constants}
    return model(text, **constants), feeds


def _spelt(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return f"[{', '.join(map(_spelt, value))}]" if isinstance(value, list) else str(value)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("op", GATES)
def test_inputs(agree: Agree, op: str, directions: int):
    for given in ("", "B", "B h c", "B lengths", "B lengths h c P"):
        agree(*case(op, given, directions=directions))


@pytest.mark.parametrize("op", GATES)
def test_weights_and_sizes_that_are_computed(agree: Agree, op: str):
    agree(*case(op, "B h c P lengths", directions=2, computed="X W R B P"))
    agree(*case(op, "B", computed="X"))


@pytest.mark.parametrize("op", GATES)
def test_backwards(agree: Agree, op: str):
    agree(*case(op, direction="reverse"))
    agree(*case(op, "B lengths", direction="reverse"))


@pytest.mark.parametrize("op", GATES)
def test_only_what_is_used_is_collected(agree: Agree, op: str):
    assert "TensorListStack" not in agree(*case(op, outputs="_ Yh"))
    assert "TensorListStack" in agree(*case(op, outputs="Y"))


@pytest.mark.parametrize("op", GATES)
def test_clip(agree: Agree, op: str):
    agree(*case(op, "B c", clip=0.3))


def test_batches_first(run_tensorflow: Any):
    """onnxruntime has no layout 1: the same weights in both layouts give the same numbers."""
    for op in GATES:
        first, feeds = case(op, "B h c", layout=1, directions=2)
        second, turned = case(op, "B h c", directions=2)
        turned = {name: feeds[name].swapaxes(0, 1) for name in turned}
        batches, times = run_tensorflow(first, feeds), run_tensorflow(second, turned)
        np.testing.assert_allclose(batches["Y"], times["Y"].transpose(2, 0, 1, 3), rtol=1e-5)
        np.testing.assert_allclose(batches["Yh"], times["Yh"].swapaxes(0, 1), rtol=1e-5)


@pytest.mark.parametrize("directions", [1, 2])
def test_variants_of_cells(agree: Agree, directions: int):
    agree(*case("LSTM", "B P c", directions=directions, input_forget=1))
    for given in ("", "B h"):
        agree(*case("GRU", given, directions=directions, linear_before_reset=1))
    agree(*case("GRU", directions=directions, linear_before_reset=1, clip=0.2))


@pytest.mark.parametrize(
    "name",
    ["Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid", "Elu", "Softsign", "Softplus", "Affine", "ScaledTanh"],
)
def test_activations(agree: Agree, name: str):
    agree(*case("RNN", activations=[name]))
    agree(*case("GRU", activations=["Sigmoid", name]))


def test_slopes_are_taken_in_order(agree: Agree):
    agree(*case("RNN", directions=2, activations=["Elu", "LeakyRelu"], activation_alpha=[0.5, 0.3]))
    agree(*case("RNN", activations=["ThresholdedRelu"], activation_alpha=[0.4]))
    slopes = {"activation_alpha": [0.3, 0.7, 1.1], "activation_beta": [0.4, 0.6, 0.1]}
    agree(*case("LSTM", activations=["HardSigmoid", "ScaledTanh", "Affine"], **slopes))


def test_an_activation_that_is_none(run_tensorflow: Any):
    with pytest.raises(UnsupportedModel, match="activation 'Swish' is none that ONNX names"):
        run_tensorflow(*case("RNN", activations=["Swish"]))


def test_the_input_meets_its_weights_before_the_loop(agree: Agree, tmp_path: Any):
    ops = agree(*case("LSTM"))
    assert ops.count("BatchMatMulV2") == 1
    from onnxpress_backends.tensorflow.graphs.protos import protos

    library = protos().graph.GraphDef.FromString((tmp_path / "model.pb").read_bytes()).library
    inside = [node.op for function in library.function for node in function.node_def]
    assert inside.count("MatMul") == 1
    assert "BatchMatMulV2" not in inside
