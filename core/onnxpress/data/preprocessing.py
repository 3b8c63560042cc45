"""How pixels become the values a model was trained on: a spec, its presets, and the arithmetic.

    value = ((pixel * scale + offset) - mean) / std        pixel: 0..255, per channel after `channels` ordered them

The presets are those of ``keras.applications`` (modes tf, torch and caffe) and of the EfficientNet-Lite models that
TensorFlow Lite ships (mean 127, deviation 128).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from onnxpress.errors import InvalidData
from onnxpress.options import bind

if TYPE_CHECKING:
    from onnxpress.kinds import Array, Port


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What happens to an image on its way into the model.

    Attributes:
        resize: Pixels of the shorter side, or ``[height, width]``; None stretches to the size the model takes unless
            `crop` is given.
        crop: Side of the square cut from the centre, or ``[height, width]``; None cuts to the model's size after a
            `resize` by the shorter side.
        scale: Factor, one or one per channel.
        offset: Summand after `scale`.
        mean: Subtracted after `offset`.
        std: Divisor at the end.
        channels: Order in which the model takes colours.
        layout: Channels last or first; None takes it from the model's input.
        interpolation: How `resize` samples.
    """

    resize: int | tuple[int, ...] | None = None
    crop: int | tuple[int, ...] | None = None
    scale: float | tuple[float, ...] = 1.0
    offset: float | tuple[float, ...] = 0.0
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    channels: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["nhwc", "nchw"] | None = None
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"

    def values(self, pixels: Array, layout: str) -> Array:
        """Pixels ``[..., H, W, C]``, 0..255, as float32 in `layout`; as they are when nothing is to be done."""
        ordered = pixels[..., ::-1] if self.channels == "bgr" else pixels
        if (self.scale, self.offset, self.mean, self.std) != (1.0, 0.0, 0.0, 1.0):
            scale, offset, mean, std = (
                np.asarray(term, dtype=np.float32) for term in (self.scale, self.offset, self.mean, self.std)
            )
            ordered = (ordered.astype(np.float32) * scale + offset - mean) / std
        return np.ascontiguousarray(np.moveaxis(ordered, -1, -3) if layout == "nchw" else ordered)


PRESETS: Mapping[str, Preprocessing] = {
    "keras-tf": Preprocessing(scale=1 / 127.5, offset=-1.0),
    "keras-torch": Preprocessing(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "keras-caffe": Preprocessing(channels="bgr", mean=(103.939, 116.779, 123.68)),
    "tflite": Preprocessing(mean=127.0, std=128.0),
}


def parse(spec: str | Path | Mapping[str, Any] | Preprocessing) -> Preprocessing:
    """Read a preprocessing spec.

    Args:
        spec: The name of a preset; the path of a ``.toml`` file; ``key=value`` pairs separated by commas, such as
            ``preset=keras-torch, resize=256, crop=224``; or the same as a mapping.

    Raises:
        InvalidData: The text is no spec.
        InvalidOption: A key is unknown, or a value of the wrong type.
    """
    if isinstance(spec, Preprocessing):
        return spec
    if isinstance(spec, str) and spec in PRESETS:
        return PRESETS[spec]
    fields = dict(spec) if isinstance(spec, Mapping) else _read(str(spec))
    base = PRESETS.get(fields.pop("preset", ""), Preprocessing()) if fields.get("preset") in {None, *PRESETS} else None
    if base is None:
        raise InvalidData(f"no preprocessing preset is called {fields['preset']!r}; known: {', '.join(PRESETS)}")
    return replace(base, **bind("preprocessing", Preprocessing.__init__, fields))


def layout_of(port: Port, preprocessing: Preprocessing) -> str:
    """``nhwc`` or ``nchw``: as the spec says, or where the input has 1, 3 or 4 channels.

    Raises:
        InvalidData: The input takes no images, or both readings are possible.
    """
    if preprocessing.layout is not None:
        return preprocessing.layout
    if port.shape is None or len(port.shape) != 4:
        raise InvalidData(
            f"input {port.name!r} takes {port.shape or 'an unknown shape'}, not images of four dimensions"
        )
    first, last = port.shape[1] in (1, 3, 4), port.shape[3] in (1, 3, 4)
    if first == last:
        raise InvalidData(f"input {port.name!r} does not tell where its channels are; add layout=nhwc or layout=nchw")
    return "nchw" if first else "nhwc"


def _read(text: str) -> dict[str, Any]:
    try:
        if text.endswith(".toml"):
            return tomllib.loads(Path(text).read_text(encoding="utf-8"))
        quoted = re.sub(r"=\s*(?!true\b|false\b)([A-Za-z][\w-]*)", r'="\1"', text)
        return dict(tomllib.loads(f"spec = {{{quoted}}}")["spec"])
    except (OSError, ValueError) as error:
        raise InvalidData(
            f"cannot read preprocessing {text!r}: give a preset ({', '.join(PRESETS)}), a .toml file, or pairs "
            f"such as 'resize=256, crop=224, mean=127.5, std=127.5' ({error})"
        ) from error
