"""Files that passes leave with a model are beside it: those of this run, together, and no others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import onnx_ir as ir
import pytest

from onnxpress import hookimpl
from onnxpress.errors import OnnxpressError
from onnxpress.kinds import Backend, Context, Pass
from onnxpress.registry import Registry
from onnxpress.testing import model
from onnxpress.workflow import Result, convert

SOURCE = model("agraph (float[1] x) => (float[1] y) { y = Relu(x) }")


class Leave(ir.passes.InPlacePass):
    def __init__(self, context: Context, text: str) -> None:
        self._notes, self._text = context.notes, text

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        self._notes.files[".story.txt"] = self._text
        return ir.passes.PassResult(model, modified=False)


def leave(context: Context, *, text: str) -> ir.passes.PassBase:
    return Leave(context, text)


def emit_file(source: ir.Model, path: Path, *, fail: bool = False) -> list[Path]:
    if fail:
        raise OnnxpressError("no space")
    path.write_text("12345")
    return [path]


def emit_folder(source: ir.Model, path: Path) -> list[Path]:
    path.mkdir()
    (path / "content").write_text("12345")
    return [path]


class Plugin:
    @hookimpl
    def onnxpress_backends(self) -> Iterable[Backend]:
        yield Backend(name="file", summary="Files.", emit=emit_file, suffixes=(".abc", "_net.abc"))
        yield Backend(name="folder", summary="Folders.", emit=emit_folder, suffixes=("/",))

    @hookimpl
    def onnxpress_passes(self) -> Iterable[Pass]:
        yield Pass(name="leave", summary="Leaves a file.", build=leave, extras=(".story.txt",))


def write(out: str, *texts: str, options: Mapping[str, object] | None = None) -> Result:
    steps: list[tuple[str, dict[str, object]]] = [("leave", {"text": text}) for text in texts]
    return convert(SOURCE, out=out, recipe=steps, registry=Registry(Plugin()), **(options or {}))


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() if path.is_file() else "/" for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    ("out", "beside"),
    [
        ("m.abc", "m.story.txt"),
        ("m.v2.abc", "m.v2.story.txt"),
        ("m_net.abc", "m.story.txt"),
        ("m/", "m.story.txt"),
        ("m.v2/", "m.v2.story.txt"),
    ],
)
def test_the_file_is_called_like_the_model_and_does_not_count_for_its_size(
    tmp_path: Path, out: str, beside: str
) -> None:
    run = write(f"{tmp_path}/{out}", "once").run
    assert run.files == [str(tmp_path / out), str(tmp_path / beside)]
    assert content(tmp_path) == {Path(out).name: "12345" if out.endswith("abc") else "/", beside: "once"}
    assert run.size_after == 5


def test_a_name_that_no_suffix_of_the_backend_fits_loses_its_own(tmp_path: Path) -> None:
    write(f"{tmp_path}/m.bin", "once", options={"backend": "file"})
    assert content(tmp_path) == {"m.bin": "12345", "m.story.txt": "once"}


def test_without_output_the_text_is_in_the_record_alone() -> None:
    result = convert(SOURCE, recipe=[("leave", {"text": "once"})], registry=Registry(Plugin()))
    assert result.run.steps[0].notes.files == {".story.txt": "once"}
    assert result.run.files == []


def test_two_of_a_kind_are_counted(tmp_path: Path) -> None:
    run = write(f"{tmp_path}/m.abc", "once", "twice").run
    assert content(tmp_path) == {"m.abc": "12345", "m.story.2.txt": "twice", "m.story.txt": "once"}
    assert run.files[1:] == [f"{tmp_path}/m.story.txt", f"{tmp_path}/m.story.2.txt"]


def test_a_model_that_cannot_be_written_leaves_the_old_files(tmp_path: Path) -> None:
    write(f"{tmp_path}/m.abc", "old")
    with pytest.raises(OnnxpressError, match="no space"):
        write(f"{tmp_path}/m.abc", "new", options={"fail": True})
    with pytest.raises(OnnxpressError, match="no space"):
        write(f"{tmp_path}/m.abc", options={"fail": True})
    assert content(tmp_path) == {"m.abc": "12345", "m.story.txt": "old"}


def test_where_the_file_cannot_go_there_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "m.story.txt").mkdir()
    with pytest.raises(OnnxpressError, match=r"m\.story\.txt is a folder, and a file of this name goes beside"):
        write(f"{tmp_path}/m.abc", "once")
    assert content(tmp_path) == {"m.story.txt": "/"}


def test_the_next_run_replaces_the_file(tmp_path: Path) -> None:
    write(f"{tmp_path}/m.abc", "old")
    assert write(f"{tmp_path}/m.abc", "new").run.warnings == []
    assert content(tmp_path) == {"m.abc": "12345", "m.story.txt": "new"}


def test_what_describes_an_earlier_model_is_set_aside(tmp_path: Path) -> None:
    write(f"{tmp_path}/other.abc", "another")
    write(f"{tmp_path}/m.abc", "once", "twice")
    found = write(f"{tmp_path}/m.abc").run
    assert content(tmp_path) == {
        "m.abc": "12345",
        "m.story.2.txt.old": "twice",
        "m.story.txt.old": "once",
        "other.abc": "12345",
        "other.story.txt": "another",
    }
    assert found.warnings == [
        f"{tmp_path}/{name} describes an earlier model; it is now called {name}.old"
        for name in ("m.story.txt", "m.story.2.txt")
    ]
    assert found.files == [f"{tmp_path}/m.abc"]


def test_a_run_that_leaves_fewer_sets_the_rest_aside(tmp_path: Path) -> None:
    write(f"{tmp_path}/m.abc", "once", "twice")
    assert len(write(f"{tmp_path}/m.abc", "again").run.warnings) == 1
    assert content(tmp_path) == {"m.abc": "12345", "m.story.2.txt.old": "twice", "m.story.txt": "again"}
