"""Whole networks that people use, with random weights."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    ("name", "transposes"),
    [
        ("MobileNetV2", 1),
        ("MobileNetV3Small", 1),
        ("EfficientNetB0", 1),
        ("ResNet50V2", 1),
        ("DenseNet121", 1),
        ("InceptionV3", 1),
        ("NASNetMobile", 1),
        ("ConvNeXtTiny", 37),
    ],
)
def test_an_application_converts_with_few_transposes(agree: Any, keras: Any, name: str, transposes: int) -> None:
    keras.utils.set_random_seed(0)
    size = 224 if name == "NASNetMobile" else 96
    network = getattr(keras.applications, name)(
        weights=None, input_shape=(size, size, 3), classifier_activation=None, name="network"
    )
    model = agree(network)
    assert [node.op_type for node in model.graph].count("Transpose") <= transposes
    assert str(model.graph.outputs[0].shape) == "[N,1000]"
