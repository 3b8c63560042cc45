from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from click.testing import CliRunner

from calibrated import graph, numbers
from onnxpress import model_files
from onnxpress.cli import cli
from onnxpress.decomposition import info
from onnxpress.decomposition.layer_stacks import Stack
from onnxpress.decomposition.rewriting import layer_of
from onnxpress.errors import InvalidData, InvalidOption
from onnxpress.records import Notes
from onnxpress.testing import apply, assert_equivalent, model
from onnxpress_plugins.decomposition.replaying import REPLAY_DECOMPOSITION

FEEDS = {"x": numbers(2, 4, 8, 8, seed=5)}


def network(seed: int = 0) -> ir.Model:
    return graph(
        "c = Conv<pads=[1,1,1,1]>(x, w, b) r = Relu(c) y = Conv<pads=[1,1,1,1]>(r, v)",
        y="float[N,4,8,8] y",
        w=numbers(8, 4, 3, 3, seed=seed),
        b=numbers(8, seed=seed + 1),
        v=numbers(4, 8, 3, 3, seed=seed + 2),
    )


def info_of(made: ir.Model, folder: Path, *, rank: int = 12, name: str = "c") -> Path:
    """The file of a run that split one layer."""
    node = next(node for node in made.graph.all_nodes() if node.name == name)
    path = folder / "m.decomposition.json"
    info.save([Stack(layer=layer_of(node), form="spatial", first_axes=(0,), ranks=(rank,))], path)
    return path


def replay(before: ir.Model, path: Path, **options: Any) -> tuple[ir.Model, Notes]:
    return apply(REPLAY_DECOMPOSITION, before, info=path, **options)


def arrays(made: ir.Model) -> dict[str, np.ndarray[Any, Any]]:
    values = made.graph.initializers.values()
    return {str(value.name): value.const_value.numpy() for value in values if value.const_value is not None}


def test_layers_are_split_as_the_file_says(tmp_path: Path) -> None:
    before = network()
    after, notes = replay(before, info_of(before, tmp_path))
    assert [node.name for node in after.graph] == ["c/decom_first", "c/decom_last", "r", "y"]
    assert notes.counts == {"Conv decomposed (spatial)": 1}
    assert_equivalent(before, after, FEEDS, rtol=1e-4, atol=1e-4)  # the rank is full


def test_what_is_done_is_left_beside_the_model(tmp_path: Path) -> None:
    before = network()
    path = info_of(before, tmp_path, rank=5)
    _, notes = replay(before, path)
    assert notes.files == {".decomposition.json": path.read_text(encoding="utf-8")}
    assert REPLAY_DECOMPOSITION.extras == tuple(notes.files)


def test_a_file_without_layers_changes_nothing(tmp_path: Path) -> None:
    info.save([], tmp_path / "i")
    after, notes = replay(network(), tmp_path / "i")
    assert [node.name for node in after.graph] == ["c", "r", "y"]
    assert not notes.counts and not notes.warnings


def test_a_model_that_does_not_fit_is_refused_by_its_layer(tmp_path: Path) -> None:
    path = info_of(network(), tmp_path)
    other = graph("c = Conv<pads=[1,1,1,1]>(x, w, b) y = Relu(c)", y="y", w=numbers(6, 4, 3, 3), b=numbers(6))
    sentence = r"^layer 'c' has weight_shape \[6, 4, 3, 3\] in the model and \[8, 4, 3, 3\] in the info file$"
    with pytest.raises(InvalidData, match=sentence):
        replay(other, path)


def test_inside_a_branch(tmp_path: Path) -> None:
    before = model(
        "agraph (float[N,4,H,W] x, bool c, float[6,4,3,3] w) => (float[N,6,P,Q] y) {"
        "  y = If (c) <"
        "    then_branch = one () => (float[N,6,P,Q] t) { [inner] t = Conv(x, w) },"
        "    else_branch = two () => (float[N,6,P,Q] e) { z = Conv(x, w) e = Neg(z) }>"
        "}",
        w=numbers(6, 4, 3, 3),
    )
    after, _ = replay(before, info_of(before, tmp_path, name="inner"))
    inside = next(iter(after.graph)).attributes["then_branch"].as_graph()
    assert [node.name for node in inside] == ["inner/decom_first", "inner/decom_last"]
    for taken in (True, False):
        assert_equivalent(before, after, {**FEEDS, "c": np.array(taken)}, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["onnx", "npz"])
def test_weights_come_from_a_file(tmp_path: Path, kind: str) -> None:
    before = network()
    path = info_of(before, tmp_path, rank=5)
    trained = {name: array + 1 for name, array in arrays(replay(before, path)[0]).items()}
    source = tmp_path / f"trained.{kind}"
    if kind == "npz":
        np.savez(source, **trained)
    else:
        made = replay(before, path)[0]
        for name, array in trained.items():
            made.graph.initializers[name].const_value = ir.tensor(array, name=name)
        model_files.save(made, source)
    after, notes = replay(network(seed=7), path, weights=source)
    assert {name: array.tolist() for name, array in arrays(after).items()} == {
        name: array.tolist() for name, array in trained.items()
    }
    assert notes.counts == {"Conv decomposed (spatial)": 1, "weights loaded": 4} and not notes.warnings


def test_weights_of_something_else_are_told(tmp_path: Path) -> None:
    before = network()
    np.savez(tmp_path / "w.npz", b=numbers(8), elsewhere=numbers(1))
    after, notes = replay(before, info_of(before, tmp_path), weights=tmp_path / "w.npz")
    assert np.array_equal(arrays(after)["b"], numbers(8))
    assert notes.warnings == ["1 of 2 given weights are not in the model and were passed over, 'elsewhere' first"]


def test_a_file_of_weights_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"weights is an \.onnx or \.npz file, not 'w\.pt'$"):
        replay(network(), info_of(network(), tmp_path), weights=tmp_path / "w.pt")


def test_the_command_line(tmp_path: Path) -> None:
    path = info_of(network(), tmp_path, rank=5)
    model_files.save(network(), tmp_path / "whole.onnx")
    arguments = ["compress", "whole.onnx", "--recipe", "low-rank-replay", "--no-bench", "-o", "small.onnx"]
    setting = f"replay-decomposition.info={path}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = CliRunner().invoke(cli, [*arguments, "--set", setting])
    assert result.exit_code == 0, result.output
    assert "whole.onnx -> small.onnx, small.decomposition.json" in result.output
    assert info.load(tmp_path / "small.decomposition.json") == info.load(path)
    assert "c/decom_first" in [node.name for node in model_files.load(tmp_path / "small.onnx").graph]
