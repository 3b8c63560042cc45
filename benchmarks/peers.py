"""onnxruntime's own tools, at the settings its users meet: what onnxpress is measured against."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

Generate = Callable[[], Iterable[Mapping[str, Any]]]

SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "u8s8": {"activation_type": "QUInt8"},
    "u8s8 per-channel": {"activation_type": "QUInt8", "per_channel": True},
    "u8s8 per-channel percentile": {
        "activation_type": "QUInt8",
        "per_channel": True,
        "calibrate_method": "Percentile",
    },
    "u8s8 per-channel entropy": {"activation_type": "QUInt8", "per_channel": True, "calibrate_method": "Entropy"},
}
"""Arguments of `quantize_static`.  All but the default also get `quant_pre_process`, as its documentation advises."""


def quantize_static(model: Path, out: Path, generate: Generate, setting: str) -> None:
    """Quantise `model` with onnxruntime's tool at one of `SETTINGS`."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    logging.getLogger().setLevel(logging.ERROR)
    arguments = {key: _enum(key, value) for key, value in SETTINGS[setting].items()}
    with tempfile.TemporaryDirectory() as folder:
        source = model
        if setting != "default":
            source = Path(folder) / "prepared.onnx"
            quant_pre_process(model, source, skip_symbolic_shape=True)
        quantization.quantize_static(source, out, reader(generate()), **arguments)


def reader(feeds: Iterable[Mapping[str, Any]]) -> Any:
    """The feeds as onnxruntime's tools want them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.iterator: Iterator[Mapping[str, Any]] = iter(feeds)

        def get_next(self) -> Mapping[str, Any] | None:
            return next(self.iterator, None)

    return Reader()


def _enum(key: str, value: Any) -> Any:
    from onnxruntime import quantization

    kinds = {"activation_type": quantization.QuantType, "calibrate_method": quantization.CalibrationMethod}
    return getattr(kinds[key], value) if key in kinds else value
