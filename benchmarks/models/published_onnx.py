"""ONNX files as other projects published them, in PyPI packages of pinned versions, with inputs of their kind.

They were exported by PyTorch, PaddlePaddle, tf2onnx and spox at opsets 11 to 18.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.wheels import BASIC_PITCH, DDDDOCR, FASTER_WHISPER, NUDENET, PIPER_TTS, RAPIDOCR, SILERO_VAD, Wheel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

Feeds = Mapping[str, Any]
LINES = ("Interchange of models", "from one format to", "another, 2026")


@dataclass(frozen=True, kw_only=True)
class PublishedOnnx:
    """A file in a package.

    Attributes:
        wheel: The package.
        pattern: Which of its files.
        kind: What it does.
        feeds: An input of every name.
        tolerance: Largest difference from onnxruntime without optimisation, over the largest output.  It is above 1e-5
            where onnxruntime's own optimisation moves the outputs by more than a third of it.
    """

    wheel: Wheel
    pattern: str
    kind: str
    feeds: Callable[[], Feeds]
    tolerance: float = 1e-5

    def path(self) -> Path:
        """The file, in the cache."""
        return self.wheel.unpacked(self.pattern)


def page(height: int, width: int) -> Floats:
    """Three printed lines, dark on light: float32[1, 3, height, width] between -1 and 1."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (width, height), (240, 236, 225))
    font = ImageFont.load_default(size=28)
    for number, line in enumerate(LINES):
        ImageDraw.Draw(image).text((12, 12 + 46 * number), line, fill=(20, 20, 40), font=font)
    pixels = np.asarray(image, np.float32).transpose(2, 0, 1)[None]
    return np.asarray(pixels / 127.5 - 1, np.float32)


def photo(size: int, scale: float) -> Floats:
    """A smooth picture with edges: float32[1, 3, size, size] between 0 and `scale`."""
    rows, columns = np.mgrid[:size, :size] / size
    planes = [np.sin(7 * rows + phase) * np.cos(5 * columns - phase) + (rows > columns) for phase in (0, 1, 2)]
    pixels = np.stack(planes)[None]
    return np.asarray((pixels - pixels.min()) / np.ptp(pixels) * scale, np.float32)


def voice(length: int) -> Floats:
    """A sound with harmonics that rise and fall, and some noise: float32[length]."""
    time = np.arange(length) / 16000
    tones = sum(np.sin(2 * np.pi * 140 * number * time) / number for number in range(1, 9))
    noise = np.random.default_rng(0).standard_normal(length)
    return np.asarray(0.1 * tones * np.sin(9 * time) ** 2 + 0.02 * noise, np.float32)


def _tokens(high: int, *shape: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(1, high, shape)


def _frames() -> Feeds:
    silence = np.zeros((1, 1, 128), np.float32)
    return {"input": voice(5 * 576).reshape(5, 576), "h": silence, "c": silence}


PUBLISHED = {
    "PP-OCRv4 detection": PublishedOnnx(
        wheel=RAPIDOCR,
        pattern="*/models/ch_PP-OCRv4_det_infer.onnx",
        kind="text detection",
        feeds=lambda: {"x": page(160, 320)},
        tolerance=1e-4,
    ),
    "PP-OCRv4 recognition": PublishedOnnx(
        wheel=RAPIDOCR,
        pattern="*/models/ch_PP-OCRv4_rec_infer.onnx",
        kind="text recognition, CNN and transformer",
        feeds=lambda: {"x": page(48, 320)},
        tolerance=1e-4,
    ),
    "PP-OCRv2 classifier": PublishedOnnx(
        wheel=RAPIDOCR,
        pattern="*/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        kind="text direction",
        feeds=lambda: {"x": page(48, 192)},
    ),
    "NudeNet YOLOv8": PublishedOnnx(
        wheel=NUDENET,
        pattern="*/320n.onnx",
        kind="object detection",
        feeds=lambda: {"images": photo(320, 1)},
    ),
    "ddddocr YOLOX": PublishedOnnx(
        wheel=DDDDOCR,
        pattern="ddddocr/common_det.onnx",
        kind="text detection",
        feeds=lambda: {"images": photo(416, 255)},
    ),
    "Basic Pitch": PublishedOnnx(
        wheel=BASIC_PITCH,
        pattern="*/nmp.onnx",
        kind="music transcription",
        feeds=lambda: {"serving_default_input_2:0": voice(43844)[None, :, None]},
        tolerance=1e-4,
    ),
    "Silero VAD": PublishedOnnx(
        wheel=SILERO_VAD,
        pattern="*/silero_vad.onnx",
        kind="voice activity, nested If and LSTM",
        feeds=lambda: {
            "input": voice(576)[None],
            "state": np.zeros((2, 1, 128), np.float32),
            "sr": np.array(16000),
        },
    ),
    "Silero VAD for frames": PublishedOnnx(
        wheel=FASTER_WHISPER,
        pattern="*/silero_vad_v6.onnx",
        kind="voice activity, LSTM",
        feeds=_frames,
    ),
    "Nakdimon": PublishedOnnx(
        wheel=PIPER_TTS,
        pattern="*/hebrew/nakdimon.onnx",
        kind="Hebrew diacritics, Loop",
        feeds=lambda: {"input_1": _tokens(30, 2, 20).astype(np.float32)},
    ),
    "Tashkeel": PublishedOnnx(
        wheel=PIPER_TTS,
        pattern="*/tashkeel/model.onnx",
        kind="Arabic diacritics, transformer and GRU",
        feeds=lambda: {
            "char_inputs": _tokens(30, 2, 20),
            "diac_inputs": _tokens(10, 2, 20),
            "input_lengths": np.array([20, 15]),
        },
    ),
}
