from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.tensorflow_source import load

IMAGES = np.zeros((1, 6, 6, 3), np.float32)
BOXES, SCORES = np.array([[0, 0, 1, 1], [0, 0, 0.9, 1]], np.float32), np.array([0.9, 0.8], np.float32)


def refused(tf: Any, operator: str, function: Any, *arrays: Any) -> None:
    specs = [tf.TensorSpec(array.shape, array.dtype) for array in arrays]
    with pytest.raises(UnsupportedModel, match=rf"no ONNX form: {operator} \(1, first "):
        load(tf.function(function, input_signature=specs))


def test_areas_are_not_averaged(tf: Any) -> None:
    refused(tf, "ResizeArea", lambda x: tf.raw_ops.ResizeArea(images=x, size=[9, 4]), IMAGES)


def test_crops_by_nearest_pixel(tf: Any) -> None:
    def crop(x: Any, method: str) -> Any:
        return tf.image.crop_and_resize(x, [[0.1, 0.2, 0.8, 0.9]], [0], (4, 5), method=method)

    refused(tf, "CropAndResize", lambda x: crop(x, "nearest"), IMAGES)
    load(tf.function(lambda x: crop(x, "bilinear"), input_signature=[tf.TensorSpec(IMAGES.shape)]))


def test_soft_suppression(tf: Any) -> None:
    def suppress(boxes: Any, scores: Any, sigma: float) -> Any:
        return tf.image.non_max_suppression_with_scores(boxes, scores, 2, 0.5, 0.2, sigma)[0]

    refused(tf, "NonMaxSuppressionV5", lambda b, s: suppress(b, s, 0.5), BOXES, SCORES)
    specs = [tf.TensorSpec(array.shape) for array in (BOXES, SCORES)]
    load(tf.function(lambda b, s: suppress(b, s, 0.0), input_signature=specs))


def test_a_shift_of_signed_integers(tf: Any) -> None:
    x = np.array([-8, 8], np.int32)
    refused(tf, "RightShift", lambda x: tf.bitwise.right_shift(x, tf.ones_like(x)), x)


def test_a_truncated_quotient_of_floats(tf: Any) -> None:
    x = np.array([-8, 8], np.float32)
    refused(tf, "TruncateDiv", lambda x: tf.truncatediv(x, tf.fill(tf.shape(x), 3.0)), x)
    load(tf.function(lambda x: tf.truncatediv(x, x), input_signature=[tf.TensorSpec((2,), tf.int32)]))
