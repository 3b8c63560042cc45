from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.errors import InvalidModel
from onnxpress.runtime import Session
from onnxpress.testing import model as parse
from onnxpress_backends.saved_model.weight_return import return_weights
from saved_models import Written, weights


def tuned(tf: Any, folder: Path, images: Any) -> tuple[Path, Any]:
    """The SavedModel with every trainable variable changed, saved again; and what it gives."""
    loaded = tf.saved_model.load(str(folder))
    generator = np.random.default_rng(2)
    for _ in range(2):
        loaded(images, training=True)
    for variable in loaded.trainable_variables:
        variable.assign(variable * generator.uniform(0.5, 1.5, variable.shape))
    again = folder.with_name("tuned")
    tf.saved_model.save(loaded, str(again), signatures=loaded.signatures)
    return again, loaded(images).numpy()


def test_what_was_tuned_comes_back(tf: Any, network: ir.Model, images: Any, written: Written) -> None:
    folder, expected = tuned(tf, written(network), images)
    before = Session(network).run({"image": images})["scores"]
    returned = return_weights(network, folder)
    actual = Session(returned).run({"image": images})["scores"]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert np.abs(expected - before).max() > 0.1 * np.abs(before).max()
    np.testing.assert_array_equal(Session(network).run({"image": images})["scores"], before)


def test_what_was_not_tuned_comes_back_as_it_was(network: ir.Model, written: Written) -> None:
    returned = return_weights(network, written(network))
    for name, value in network.graph.initializers.items():
        assert value.const_value is not None
        back = returned.graph.initializers[name].const_value
        assert back is not None
        np.testing.assert_array_equal(back.numpy(), value.const_value.numpy(), err_msg=name)


def test_another_model_is_refused(network: ir.Model, written: Written) -> None:
    folder = written(network)
    text = "agraph (float[N,2] x, float[2] w) => (float[N,2] y) { y = Mul(x, w) }"
    with pytest.raises(InvalidModel, match=r"no initialiser 'kernel'.*give the model that it was written from"):
        return_weights(parse(text, **weights(w=(2,))), folder)
    network.graph.initializers["dense"].const_value = ir.tensor(np.zeros((7, 4), np.float32), name="dense")
    with pytest.raises(
        InvalidModel, match=r"'dense' of the model is of shape \[7, 4\], but its variable of shape \[6, 4\]"
    ):
        return_weights(network, folder)


def test_a_folder_without_a_map_is_refused(network: ir.Model, tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"onnxpress_weights.json is missing; only a SavedModel that onnxpress"):
        return_weights(network, tmp_path)


def test_a_corrupt_folder_is_refused(network: ir.Model, written: Written) -> None:
    folder = written(network)
    index = folder / "variables" / "variables.index"
    index.write_bytes(index.read_bytes()[:40])
    with pytest.raises(InvalidModel, match=r"the checkpoint of .* cannot be read"):
        return_weights(network, folder)
    (folder / "assets" / "onnxpress_weights.json").write_text('{"weights": [{}]}')
    with pytest.raises(InvalidModel, match="is no map of weights"):
        return_weights(network, folder)
