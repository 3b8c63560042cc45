"""Exported programs come back from their files, and nothing in a file is unpickled."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import torch_models
from onnxpress.errors import InvalidModel, OnnxpressError, UnsupportedModel
from onnxpress_frontends import torch_source
from onnxpress_frontends.pytorch.program_files import open_program
from onnxpress_frontends.torch_import import quiet

WEIGHTS = "data/weights/model_weights_config.json"


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def program() -> torch.export.ExportedProgram:
    """`torch_models.cnn` with an open batch."""
    batch = torch.export.Dim("batch", min=1, max=64)
    return torch.export.export(torch_models.cnn(), (torch.zeros(2, 3, 16, 16),), dynamic_shapes=({0: batch},))


@pytest.fixture
def saved(program: torch.export.ExportedProgram, tmp_path: Path) -> Path:
    path = tmp_path / "model.pt2"
    torch.export.save(program, path)
    return path


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The archive with its entries, by name without the root folder, changed."""
    with zipfile.ZipFile(path) as archive:
        entries = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(f"model/{name}", content)
    return path


def refusal(kind: type[OnnxpressError], path: Path) -> str:
    with pytest.raises(kind) as caught:
        torch_source.load(path)
    return str(caught.value).replace(str(path), path.name)


def test_a_program_comes_back_from_its_file(same: Any, saved: Path) -> None:
    model = same(saved)
    assert [str(value.shape) for value in (*model.graph.inputs, *model.graph.outputs)] == ["[N,3,16,16]", "[N,5]"]
    assert [value.name for value in (*model.graph.inputs, *model.graph.outputs)] == ["image", "scores"]


@pytest.mark.long
def test_a_transformer_with_open_lengths_comes_back(same: Any, tmp_path: Path) -> None:
    dynamic = torch.export.Dim.DYNAMIC
    tokens = torch.zeros(2, 7, dtype=torch.int64)
    program = torch.export.export(torch_models.transformer(), (tokens,), dynamic_shapes=({0: dynamic, 1: dynamic},))
    torch.export.save(program, tmp_path / "model.pt2")
    assert str(same(tmp_path / "model.pt2").graph.inputs[0].shape) == "[N,tokens_dim_1]"


def test_example_inputs_are_not_unpickled(saved: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    examples = tmp_path / "examples.pt"
    torch.save(((Trap(mark),), {}), examples)
    rewritten(saved, lambda entries: entries.update({"data/sample_inputs/model.pt": examples.read_bytes()}))
    open_program(saved)
    assert not mark.exists()
    with quiet():
        torch.export.load(saved)
    assert mark.exists(), "the trap works where PyTorch reads the file"


def test_pickled_weights_are_refused(saved: Path) -> None:
    def pickle_first(entries: dict[str, bytes]) -> None:
        index = json.loads(entries[WEIGHTS])
        index["config"]["block.first.0.weight"]["use_pickle"] = True
        entries[WEIGHTS] = json.dumps(index).encode()

    assert refusal(UnsupportedModel, rewritten(saved, pickle_first)) == (
        "model.pt2: 'block.first.0.weight' is stored as a pickle, which runs code when it is read; convert the "
        "program in memory, onnxpress.convert(torch.export.load(path)), if you trust the file"
    )


@pytest.mark.parametrize("name", ["custom_obj_0", "opaque_obj_0", "../x", 3])
def test_constants_that_are_objects_are_refused(saved: Path, name: Any) -> None:
    index = {"config": {"thing": {"path_name": name, "use_pickle": False}}}
    place = "data/constants/model_constants_config.json"
    rewritten(saved, lambda entries: entries.update({place: json.dumps(index).encode()}))
    assert refusal(UnsupportedModel, saved).startswith("model.pt2: 'thing' is stored as a pickle")


def test_an_operator_that_is_no_operator_is_refused(saved: Path, tmp_path: Path) -> None:
    def call_system(entries: dict[str, bytes]) -> None:
        entries["models/model.json"] = entries["models/model.json"].replace(
            b"torch.ops.aten.flatten.using_ints", b"torch.os.system"
        )

    assert refusal(UnsupportedModel, rewritten(saved, call_system)) == (
        "model.pt2 holds the operator 'torch.os.system', which PyTorch could run as code; such a program is not loaded"
    )


def test_weights_of_an_older_pytorch_are_refused(saved: Path) -> None:
    message = refusal(UnsupportedModel, rewritten(saved, lambda entries: entries.pop(WEIGHTS)))
    assert message.startswith(f"model.pt2 has no {WEIGHTS}: its weights are pickled, as PyTorch before 2.9 did, ")


def test_compiled_code_is_refused(saved: Path) -> None:
    message = refusal(UnsupportedModel, rewritten(saved, lambda entries: entries.pop("models/model.json")))
    assert message.startswith("model.pt2 holds no program called 'model' (compiled code only); torch.export.save(")


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_a_pickle_is_refused_with_the_way_out(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    torch.save({"trap": Trap(tmp_path / "ran")}, path)
    assert refusal(UnsupportedModel, path) == (
        f"{path.name} is a pickle, which runs code when it is read; load it in Python if you trust it, then "
        "torch.export.save(torch.export.export(module.eval(), (image,)), 'model.pt2'), and convert that"
    )
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["model.pt", "model.pt2"])
def test_torchscript_is_refused_with_the_way_out(tmp_path: Path, name: str) -> None:
    with quiet():
        torch.jit.script(torch.nn.Linear(3, 2)).save(tmp_path / name)
    assert refusal(UnsupportedModel, tmp_path / name) == (
        f"{name} is TorchScript, which torch.export does not take; in Python, "
        "torch.export.save(torch.export.export(module.eval(), (image,)), 'model.pt2') with the nn.Module"
    )


def test_missing_and_corrupt_files(saved: Path, tmp_path: Path) -> None:
    assert refusal(InvalidModel, tmp_path / "no.pt2") == "no.pt2 does not exist, or is a folder; give a .pt2 file"
    cut = tmp_path / "cut.pt2"
    cut.write_bytes(saved.read_bytes()[:3000])
    assert refusal(InvalidModel, cut) == ("cut.pt2 is not an archive of torch.export.save, or is truncated or corrupt")
    rewritten(saved, lambda entries: entries.update({"models/model.json": b"{}"}))
    assert refusal(InvalidModel, saved).startswith("model.pt2 cannot be read; torch.export says: ")
    rewritten(saved, lambda entries: entries.update({"models/model.json": b"{"}))
    assert refusal(InvalidModel, saved) == "model.pt2: model/models/model.json is no JSON"
