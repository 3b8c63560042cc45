from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from onnxpress.errors import OnnxpressError
from onnxpress.files import atomic, check_place, publish, publish_all, size, staging


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_atomic_puts_the_file_in_place(tmp_path: Path):
    with atomic(tmp_path / "deep" / "out.txt") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "deep" / "out.txt").exists()
    assert (tmp_path / "deep" / "out.txt").read_text() == "new"
    assert names(tmp_path / "deep") == ["out.txt"]


def test_atomic_replaces_a_folder(tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stale").write_text("old")
    with atomic(tmp_path / "out") as temporary:
        temporary.mkdir()
        (temporary / "fresh").write_text("new")
    assert names(tmp_path / "out") == ["fresh"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("failure", [ValueError("mine"), KeyboardInterrupt()], ids=["error", "ctrl-c"])
def test_a_failure_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: BaseException):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(type(failure)), atomic(path) as temporary:
        temporary.write_text("half of the n")
        raise failure
    assert path.read_text() == "old"
    assert names(tmp_path) == ["out.txt"]


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(OnnxpressError) as caught, atomic(path) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(caught.value) == f"cannot write in {tmp_path}: No space left on device"
    assert path.read_text() == "old"
    assert names(tmp_path) == ["out.txt"]


def test_a_place_that_is_a_file_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OnnxpressError) as caught, atomic(tmp_path / "file" / "out.txt"):
        raise AssertionError("never reached")
    assert str(caught.value) == f"cannot write in {tmp_path / 'file'}: File exists"


@pytest.mark.parametrize("place", ["out.txt", "deep/er/out.txt"])
def test_a_place_is_checked_without_a_trace(tmp_path: Path, place: str):
    check_place(tmp_path / place)
    assert names(tmp_path) == []


def test_a_place_is_refused_early_with_the_sentence_of_the_end(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "out.txt", tmp_path / "file" / "deep" / "out.txt", Path("/proc/out.txt")):
        with pytest.raises(OnnxpressError) as early:
            check_place(path)
        with pytest.raises(OnnxpressError) as late, atomic(path):
            raise AssertionError("never reached")
        assert str(early.value) == str(late.value)
    assert names(tmp_path) == ["file"]


def test_a_file_never_takes_the_place_of_a_folder(tmp_path: Path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "precious").write_text("mine")
    with pytest.raises(OnnxpressError) as caught, atomic(tmp_path / "models") as temporary:
        temporary.write_text("a file")
    assert str(caught.value) == f"cannot write in {tmp_path}: 'models' is a folder; name a file in it"
    assert (tmp_path / "models" / "precious").read_text() == "mine"


def test_a_folder_that_cannot_be_moved_into_place_leaves_the_old_one(tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    with pytest.raises(OnnxpressError, match="cannot write in"), staging(tmp_path) as folder:
        (folder / "out").mkdir()
        replace = Path.replace

        def fails_for_the_new(self: Path, target: Path) -> Path:
            if self == folder / "out":
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return replace(self, target)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "replace", fails_for_the_new)
            publish(folder / "out", tmp_path / "out")
    assert names(tmp_path / "out") == ["old"]
    assert names(tmp_path) == ["out"]


def test_only_what_is_published_leaves_the_staging_folder(tmp_path: Path):
    with staging(tmp_path) as folder:
        (folder / "kept").write_text("kept")
        (folder / "dropped").write_text("dropped")
        publish(folder / "kept", tmp_path / "kept")
    assert names(tmp_path) == ["kept"]


def test_a_folder_is_as_large_as_its_files(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "one").write_text("12345")
    (tmp_path / "deep" / "two").write_text("123")
    assert (size(tmp_path / "one"), size(tmp_path)) == (5, 8)


def staged_pair(folder: Path) -> list[Path]:
    files = [folder / "first", folder / "second"]
    for file in files:
        file.write_text("new")
    return files


def test_all_staged_files_go_to_their_places(tmp_path: Path):
    (tmp_path / "second").write_text("old")
    with staging(tmp_path) as folder:
        publish_all(staged_pair(folder), tmp_path)
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ["new", "new"]


@pytest.mark.parametrize("linking", [True, False], ids=["links", "no-links"])
@pytest.mark.parametrize("old", [True, False], ids=["old", "none"])
def test_where_the_second_file_cannot_go_the_first_is_as_it_was(
    old: bool, linking: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    if not linking:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    if old:
        (tmp_path / "first").write_text("old")
    (tmp_path / "second").mkdir()
    with pytest.raises(OnnxpressError, match="'second' is a folder; name a file in it"), staging(tmp_path) as folder:
        publish_all(staged_pair(folder), tmp_path)
    assert names(tmp_path) == (["first", "second"] if old else ["second"])
    assert not old or (tmp_path / "first").read_text() == "old"
