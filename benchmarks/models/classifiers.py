"""Classifiers and what they are calibrated on and judged by: the demo's, of Fashion-MNIST, and those of photographs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import photos
from models.efficientnet_lite0 import SIZE
from models.onnx_files import input_name, onnx_file
from results import quick

DEMO = Path(__file__).parents[2] / "demo"
DATASET = Path("/usr/share/datasets/fashion-mnist")


@dataclass(frozen=True, kw_only=True)
class Task:
    """A network and its data.

    Attributes:
        source: What is compressed.
        calibration: Samples by input name, or a file of them.
        images: What it is judged on, by input name.
        labels: Their classes; None: agreement with the float network is all there is to see.
        batch: Samples that the deploy file takes at a time.
    """

    source: Path
    calibration: Any
    images: Mapping[str, Any]
    labels: Any = None
    batch: int = 1


def fashion(network: str) -> Task:
    """One of the demo's classifiers and all test pictures that are there."""
    images = np.load(DEMO / "data" / "test.npz")["image"].astype(np.float32)
    labels = np.load(DEMO / "data" / "test-labels.npy")
    if DATASET.is_dir() and not quick():
        images, labels = idx_files()
    return Task(
        source=DEMO / "models" / network,
        calibration=DEMO / "data" / "calibration.npz",
        images={"image": images},
        labels=labels,
        batch=100,
    )


def idx_files() -> tuple[Any, Any]:
    """The 10,000 test pictures, float32, and their classes."""
    import gzip

    def read(name: str, header: int) -> Any:
        return np.frombuffer(gzip.decompress((DATASET / name).read_bytes()), np.uint8, offset=header)

    images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1).astype(np.float32)
    return images, read("t10k-labels-idx1-ubyte.gz", 8).astype(np.int64)


def photographs(network: str, pictures: Any, labels: Any) -> Task:
    """A network of photographs, with crops of others to calibrate on."""
    model = onnx_file(network)
    name = input_name(model)
    crops = photos.unlabelled(4 if quick() else 32, SIZE, seed=0)
    return Task(source=model, calibration={name: crops}, images={name: pictures}, labels=labels)
