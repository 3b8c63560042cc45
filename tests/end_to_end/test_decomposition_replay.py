"""What `decompose` leaves beside a model is enough to do the same again, to the model or to one trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import onnxpress
from calibrated import graph, numbers
from onnxpress import model_files
from onnxpress.decomposition import apply
from onnxpress.testing import assert_equivalent

DATA = {"x": numbers(6, 16, 12, 12, seed=7)}
RECIPE: list[Any] = ["clean-up", "fold-batch-norm", ("decompose", {"policy": "ratio", "ratio": 0.6, "max_error": 1.0})]


def network(seed: int = 0) -> ir.Model:
    """Convolutions, one with BatchNormalization behind it, and two matrices."""

    def weight(*shape: int) -> np.ndarray[Any, Any]:
        return numbers(*shape, seed=seed + sum(shape)) / np.float32(np.prod(shape[1:]) ** 0.5)

    return graph(
        "c = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w) n = BatchNormalization(c, s, b, m, v) r = Relu(n)"
        "d = Conv<pads=[1,1,1,1]>(r, u) e = Relu(d) p = GlobalAveragePool(e) f = Flatten(p)"
        "g = Gemm<transB=1>(f, k, a) h = Relu(g) y = MatMul(h, l)",
        x="float[N,16,12,12] x",
        y="float[N,10] y",
        w=weight(64, 16, 3, 3),
        s=numbers(64, seed=seed + 1) + 2,
        b=numbers(64, seed=seed + 2),
        m=numbers(64, seed=seed + 3),
        v=numbers(64, seed=seed + 4) ** 2 + 1,
        u=weight(64, 64, 3, 3),
        k=weight(256, 64),
        a=numbers(256, seed=seed + 5),
        l=weight(256, 10),
    )


def weights_of(made: ir.Model) -> dict[str, np.ndarray[Any, Any]]:
    values = made.graph.initializers.values()
    return {str(value.name): value.const_value.numpy() for value in values if value.const_value is not None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole network, tidied, and the decomposed one with its info file."""
    made = tmp_path_factory.mktemp("replay")
    onnxpress.convert(network(), out=made / "whole.onnx")
    result = onnxpress.compress(network(), recipe=RECIPE, data=DATA, out=made / "small.onnx")
    assert set(result.run.steps[-1].notes.details["layers"]) == {"c", "d", "g"}
    assert result.run.files == [str(made / "small.onnx"), str(made / "small.decomposition.json")]
    return made


def test_the_same_run_leaves_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    onnxpress.compress(network(), recipe=RECIPE, data=DATA, out=tmp_path / "small.onnx")
    for name in ("small.onnx", "small.decomposition.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_structure_and_weights_give_the_decomposed_model(folder: Path) -> None:
    small, whole = (model_files.load(folder / f"{name}.onnx") for name in ("small", "whole"))
    made = apply(folder / "small.decomposition.json", whole, weights=weights_of(small))
    assert [node.name for node in made.graph] == [node.name for node in small.graph]
    assert_equivalent(small, made, DATA, rtol=1e-5, atol=1e-5)


def test_a_network_that_was_trained_on_takes_the_same_structure(folder: Path, tmp_path: Path) -> None:
    settings = {
        "replay-decomposition.info": folder / "small.decomposition.json",
        "replay-decomposition.weights": folder / "small.onnx",
    }
    other = onnxpress.compress(
        network(seed=50), recipe="low-rank-replay", step_options=settings, out=tmp_path / "m.onnx"
    )
    assert_equivalent(model_files.load(folder / "small.onnx"), other.model, DATA, rtol=1e-5, atol=1e-5)
    info = (tmp_path / "m.decomposition.json").read_text()
    assert info == (folder / "small.decomposition.json").read_text()


def test_an_int8_model_in_its_place_sets_the_file_aside(folder: Path, tmp_path: Path) -> None:
    for name in ("small.onnx", "small.decomposition.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    run = onnxpress.compress(tmp_path / "small.onnx", data=DATA, out=tmp_path / "small.onnx").run
    aside = f"{tmp_path}/small.decomposition.json"
    assert f"{aside} describes an earlier model; it is now called small.decomposition.json.old" in run.warnings
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.decomposition.json.old", "small.onnx"]


def test_tuned_in_tensorflow(folder: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    from onnxpress_backends.saved_model.weight_return import return_weights

    small = model_files.load(folder / "small.onnx")
    onnxpress.convert(small, out=f"{tmp_path}/trainable/")
    loaded = tf.saved_model.load(str(tmp_path / "trainable"))
    for variable in loaded.trainable_variables:
        variable.assign(variable * 1.5)
    tf.saved_model.save(loaded, str(tmp_path / "trainable"), signatures=loaded.signatures)
    tuned = weights_of(return_weights(small, tmp_path / "trainable"))
    made = apply(folder / "small.decomposition.json", model_files.load(folder / "whole.onnx"), weights=tuned)
    names = ["c/decom_first/weight", "c/decom_last/weight", "d/decom_last/bias", "g/decom_last/weight"]
    for name in names:
        assert np.allclose(weights_of(made)[name], 1.5 * weights_of(small)[name], rtol=1e-6, atol=1e-7), name
