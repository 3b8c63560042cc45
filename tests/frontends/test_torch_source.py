"""The frontend `torch`: what is its own, and the commands that take it."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import onnxpress
import torch_models
from onnxpress.cli import cli
from onnxpress.errors import MissingDependency, UnsupportedModel
from onnxpress.measuring.sources import compare_sources
from onnxpress.registry import Registry
from onnxpress.testing import check_plugin
from onnxpress_frontends import torch_source

IMAGE = torch.zeros(1, 3, 16, 16)


def test_the_frontend_is_sound() -> None:
    check_plugin(SimpleNamespace(onnxpress_frontends=lambda: [torch_source.TORCH]))


def test_what_is_accepted() -> None:
    assert all(map(torch_source.accepts, (Path("m.pt2"), Path("m.PT"), Path("m.pth"), torch_models.cnn())))
    keras_on_torch = type("Model", (torch.nn.Module,), {"__module__": "keras.src.models.model"})
    assert not any(map(torch_source.accepts, (Path("m.pb"), "m.pt2", OrderedDict(), keras_on_torch())))


def test_neither_asking_nor_refusing_a_missing_file_loads_torch() -> None:
    script = (
        "import sys; from pathlib import Path; from onnxpress_frontends import torch_source\n"
        "torch_source.accepts(Path('m.pt2'))\n"
        "assert not {'torch', 'onnxscript', 'onnx_ir', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_module_converts_and_compares(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    result = onnxpress.convert(torch_models.cnn(), out=path, example_inputs=(IMAGE,))
    assert result.run.warnings == [] and path.exists()
    data = {"image": np.random.default_rng(0).standard_normal((4, 3, 16, 16)).astype("float32")}
    comparison = compare_sources(torch_models.cnn(), path, data=data, example_inputs=IMAGE)
    (output,) = comparison.outputs
    assert output.name == "scores" and output.max_abs < 1e-5


def test_the_command_line_takes_a_file(tmp_path: Path) -> None:
    program = torch.export.export(torch_models.cnn(), (IMAGE,))
    torch.export.save(program, tmp_path / "model.pt2")
    arguments = ["convert", str(tmp_path / "model.pt2"), "-o", str(tmp_path / "model.onnx"), "--output-names", "logits"]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert onnxpress.convert(tmp_path / "model.onnx").model.graph.outputs[0].name == "logits"


def test_options_for_python_alone_are_no_flags() -> None:
    shown = CliRunner().invoke(cli, ["convert", "--help"]).output
    assert "--output-names" in shown and "--example-inputs" not in shown and "--dynamic-axes" not in shown


def test_an_object_that_is_no_model_is_refused() -> None:
    with pytest.raises(UnsupportedModel) as caught:
        onnxpress.convert(IMAGE, registry=Registry())
    assert str(caught.value) == (
        "an object of type 'Tensor' is no torch.nn.Module or exported program; "
        "load weights into the module they belong to, and convert that"
    )


@pytest.mark.parametrize(("missing", "name"), [("torch", "PyTorch"), ("onnxscript", "onnxscript")])
def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, missing: str, name: str) -> None:
    module: Any = torch.nn.Linear(3, 2)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingDependency) as caught:
        torch_source.load(module, example_inputs=torch.ones(1, 3))
    assert str(caught.value) == (
        f"{name} cannot be imported (import of {missing} halted; None in sys.modules); pip install 'onnxpress[torch]'"
    )


@pytest.mark.long
@pytest.mark.parametrize("order", [("torch", "tensorflow"), ("tensorflow", "torch")])
def test_torch_and_tensorflow_in_one_process(order: tuple[str, str]) -> None:
    """Both bring native libraries of the same kind; each converts after the other, in either order."""
    script = (
        "import importlib, sys\n"
        f"for name in {order!r}: importlib.import_module(name)\n"
        "import numpy, torch, torch_models, keras\n"
        "from onnxpress.runtime import Session\n"
        "from onnxpress_frontends import tensorflow_source, torch_source\n"
        "x = torch.ones(2, 3, 16, 16)\n"
        "a = Session(torch_models.onnx_cnn()).run({'image': x.numpy()})['scores']\n"
        "assert numpy.allclose(a, torch_models.cnn()(x)['scores'].detach().numpy(), atol=1e-4)\n"
        "net = keras.Sequential([keras.Input((8,), name='x'), keras.layers.Dense(4)])\n"
        "b = Session(tensorflow_source.load(net)).run({'x': numpy.ones((2, 8), 'f')})\n"
        "assert numpy.allclose(next(iter(b.values())), net(numpy.ones((2, 8), 'f')), atol=1e-5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(torch_models.__file__).parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
