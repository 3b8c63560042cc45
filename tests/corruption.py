"""Seeded corruption of model files, and the command line run on each in a process of its own.

Run as a program, it imports TensorFlow once and forks for every case, as the command line itself does; it prints one
JSON object a case.  Arguments: a folder to work in, ``--sources PATH...`` and ``--seeds FIRST LAST``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Corruption = Callable[[bytes, np.random.Generator], bytes]


def truncated(content: bytes, generator: np.random.Generator) -> bytes:
    return content[: int(generator.integers(0, len(content)))]


def flipped(content: bytes, generator: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for position in generator.integers(0, len(content), int(generator.integers(1, 9))):
        changed[position] ^= 1 << int(generator.integers(8))
    return bytes(changed)


def zeroed(content: bytes, generator: np.random.Generator) -> bytes:
    start, length = int(generator.integers(0, len(content))), int(generator.integers(1, 400))
    return content[:start] + bytes(len(content[start : start + length])) + content[start + length :]


def cut_out(content: bytes, generator: np.random.Generator) -> bytes:
    start, length = int(generator.integers(0, len(content))), int(generator.integers(1, 200))
    return content[:start] + content[start + length :]


def repeated(content: bytes, generator: np.random.Generator) -> bytes:
    start, place = (int(position) for position in generator.integers(0, len(content), 2))
    return content[:place] + content[start : start + int(generator.integers(1, 200))] + content[place:]


CORRUPTIONS: tuple[Corruption, ...] = (truncated, flipped, zeroed, cut_out, repeated)


def corrupt(source: Path, others: list[Path], seed: int, folder: Path) -> tuple[Path, str]:
    """Copy a model into `folder` and corrupt one of its files; or put one of another model in its place."""
    generator = np.random.default_rng([seed, len(source.name)])
    model = folder / source.name
    if source.is_dir():
        shutil.copytree(source, model)
    else:
        shutil.copy(source, model)
    files = sorted(path for path in model.rglob("*") if path.is_file()) if source.is_dir() else [model]
    victim = files[int(generator.integers(len(files)))]
    strangers = [path for path in _files(others) if path.suffix == victim.suffix]
    if strangers and generator.random() < 0.2:
        stranger = strangers[int(generator.integers(len(strangers)))]
        shutil.copy(stranger, victim)
        return model, f"{victim.name} of {stranger}"
    change = CORRUPTIONS[int(generator.integers(len(CORRUPTIONS)))]
    victim.write_bytes(change(victim.read_bytes(), generator))
    return model, f"{victim.name} {change.__name__}"


def _files(models: list[Path]) -> Iterator[Path]:
    for model in models:
        yield from sorted(path for path in model.rglob("*") if path.is_file()) if model.is_dir() else [model]


def convert(model: Path, folder: Path) -> dict[str, Any]:
    """Run ``onnxpress convert`` on a model; what it said, its exit code, and the files it left in an empty folder."""
    from onnxpress.cli import _run
    from onnxpress.cli.supervising import supervise

    out, said, own, process = folder / "out", folder / "said", os.dup(2), os.getpid()
    out.mkdir()
    log = os.open(said, os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 2)
    os.close(log)
    arguments = [
        "convert",
        str(model),
        "-o",
        str(out / "model.onnx"),
        "--json",
        "--report",
        str(folder / "report.json"),
    ]
    code = supervise(lambda: _run(arguments), arguments)
    if os.getpid() != process:  # the fork that did the work
        sys.stdout = sys.stderr
        os._exit(code)
    os.dup2(own, 2)
    os.close(own)
    return {"code": code, "said": said.read_text().splitlines(), "left": sorted(path.name for path in out.iterdir())}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sources", nargs="+", type=Path)
    parser.add_argument("--seeds", nargs=2, type=int)
    given = parser.parse_args()
    import tf2onnx.tfonnx

    import onnxpress.workflow
    from onnxpress_frontends.tensorflow_import import import_keras

    import_keras()
    assert tf2onnx and onnxpress
    results = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reports
    for source in given.sources:
        for seed in range(*given.seeds):
            folder = given.folder / f"{source.name}-{seed}"
            folder.mkdir()
            others = [other for other in given.sources if other != source]
            model, what = corrupt(source, others, seed, folder)
            outcome = convert(model, folder)
            results.write(json.dumps({"source": source.name, "seed": seed, "what": what, **outcome}) + "\n")
            results.flush()
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
