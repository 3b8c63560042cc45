"""The measured networks as float ONNX files, converted by onnxpress once and kept in ``benchmarks/.cache``.

MobileNetV2 and ResNet-50 have random weights: cost does not depend on values.  Their BatchNorm statistics are drawn
near one and zero; with Keras' initial ones BatchNorm would be the identity.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

CACHE = Path(__file__).parents[1] / ".cache"
SEED = 0


def onnx_file(network: str, *, folded: bool = True) -> Path:
    """The ONNX file of a network; `folded` tells whether BatchNorm is folded, as both tools want it.

    Raises:
        KeyError: `network` is none of `NETWORKS`.
    """
    path = CACHE / f"{network}{'' if folded else '.raw'}.onnx"
    if not path.exists():
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
        import onnxpress

        CACHE.mkdir(exist_ok=True)
        onnxpress.convert(NETWORKS[network](), out=path, recipe="convert" if folded else [])
    return path


def input_name(path: Path) -> str:
    """Name of the first input of an ONNX file."""
    from onnxpress import model_files

    return model_files.load(path).graph.inputs[0].name or ""


def _efficientnet_lite0() -> keras.Model:
    from models import efficientnet_lite0

    return efficientnet_lite0.load()


def _mobilenetv2() -> keras.Model:
    import keras

    return _with_statistics(keras.applications.MobileNetV2(weights=None, classifier_activation=None))


def _resnet50() -> keras.Model:
    import keras

    return _with_statistics(keras.applications.ResNet50(weights=None, classifier_activation=None))


def _with_statistics(model: keras.Model) -> keras.Model:
    import keras

    keras.utils.set_random_seed(SEED)
    model = keras.models.clone_model(model)
    generator = np.random.default_rng(SEED)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = layer.gamma.shape[0]
            near_one = [generator.uniform(0.8, 1.2, channels) for _ in range(2)]
            near_zero = [generator.normal(0, 0.1, channels) for _ in range(2)]
            layer.set_weights([near_one[0], *near_zero, near_one[1]])
    return model


def _hed() -> Any:
    from models import real_files

    return real_files.hed()


NETWORKS: dict[str, Callable[[], Any]] = {
    "mobilenetv2": _mobilenetv2,
    "resnet50": _resnet50,
    "efficientnet_lite0": _efficientnet_lite0,
    "hed": _hed,
}
