from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from models import wheels
from models.wheels import Wheel


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    """A wheel that has been fetched already."""
    monkeypatch.setattr(wheels, "CACHE", tmp_path)
    content = zipped({"pkg/a.txt": b"a", "pkg/b.txt": b"b", "pkg/net.zip": zipped({"net.h5": b"weights"})})
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "pkg-1.0.whl").write_bytes(content)
    return Wheel(requirement="pkg==1.0", filename="pkg-1.0.whl", sha256=hashlib.sha256(content).hexdigest())


def test_files_are_taken_out_by_name(wheel: Wheel) -> None:
    assert wheel.file("*/a.txt") == b"a"
    assert wheel.files("*.txt") == [("pkg/a.txt", b"a"), ("pkg/b.txt", b"b")]


def test_a_file_inside_a_zip_file_inside_is_unpacked(wheel: Wheel, tmp_path: Path) -> None:
    path = wheel.unpacked("*/net.zip", "net.h5")
    assert path == tmp_path / "pkg==1.0" / "net.h5"
    assert path.read_bytes() == b"weights"


def test_a_name_that_is_not_there(wheel: Wheel) -> None:
    with pytest.raises(SystemExit, match=r"pkg-1\.0\.whl has no file \*\.png"):
        wheel.files("*.png")


def test_another_content_than_was_pinned_is_thrown_away(wheel: Wheel, tmp_path: Path) -> None:
    fetched = tmp_path / "wheels" / "pkg-1.0.whl"
    fetched.write_bytes(fetched.read_bytes() + b"!")
    with pytest.raises(
        SystemExit, match=r"pkg-1\.0\.whl is not the file that was pinned; run again to download it anew"
    ):
        wheel.file("*/a.txt")
    assert not fetched.exists()


def test_a_download_that_fails_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "CACHE", tmp_path)
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", str(tmp_path)), ("PIP_CONFIG_FILE", "/dev/null")):
        monkeypatch.setenv(name, value)
    absent = Wheel(requirement="pkg==2.0", filename="pkg-2.0.whl", sha256="")
    with pytest.raises(SystemExit, match=r"pkg==2\.0 cannot be downloaded: ERROR: No matching distribution") as caught:
        absent.file("*")
    assert "\n" not in str(caught.value)
