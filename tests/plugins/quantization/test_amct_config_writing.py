"""write-amct-config: it lists what the target quantises, and what is written is read back to the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir
import pytest

from amct_configurations import IFMR_LAYER, SIMPLIFIED, network
from calibrated import graph, numbers
from onnxpress import recipe
from onnxpress.ascend.configuration.amct_config import AmctConfig
from onnxpress.ascend.configuration.reading import read
from onnxpress.errors import InvalidOption, InvalidRecipe
from onnxpress.kinds import SOURCE_NAME_KEY, Context
from onnxpress.options import bind
from onnxpress.records import Notes
from onnxpress.registry import Registry
from onnxpress_plugins.quantization.amct_config_writing import WRITE_AMCT_CONFIG

REGISTRY = Registry()
PASSES = ("fold-batch-norm", "calibrate", "insert-qdq")


def write(path: Path, model: ir.Model, target: str = "ascend", **options: Any) -> tuple[dict[str, Any], Notes]:
    context = Context(catalog=REGISTRY, target=target)
    build = WRITE_AMCT_CONFIG.build
    result = build(context, **bind("pass", build, {"file": path, **options}))(model)
    assert not result.modified
    document: dict[str, Any] = json.loads(path.read_text())
    return document, context.notes


def test_it_lists_every_layer_with_amcts_defaults(tmp_path: Path) -> None:
    document, notes = write(tmp_path / "c.json", network())
    assert list(document)[5:] == ["conv1", "conv2", "conv3", "fc", "pool"]
    assert document["conv1"] == IFMR_LAYER
    assert [document[name]["weight_quant_params"]["channel_wise"] for name in ("conv3", "fc", "pool")] == [
        True,
        False,
        False,
    ]
    assert notes.counts == {"layers to quantise": 5}
    assert notes.details == {"config": str(tmp_path / "c.json")}


def test_what_is_skipped_is_listed_as_such(tmp_path: Path) -> None:
    document, notes = write(tmp_path / "c.json", network(), skip_layers="conv1", skip_layer_types="Linear,AveragePool")
    enabled = {name: document[name]["quant_enable"] for name in list(document)[5:]}
    assert enabled == {"conv1": False, "conv2": True, "conv3": True, "fc": False, "pool": False}
    assert notes.counts == {"layers to quantise": 2, "layers to skip": 3}


def test_what_the_target_declines_is_not_listed_and_the_reason_noted(tmp_path: Path) -> None:
    narrow = graph("c = Conv(x, w) y = Conv(c, v)", w=numbers(32, 4, 1, 1), v=numbers(8, 32, 1, 1))
    document, notes = write(tmp_path / "c.json", narrow)
    assert list(document)[5:] == ["y"]
    (declined,) = notes.declined
    assert (declined.node, declined.op_type) == ("c", "Conv")
    assert "fewer than 17 input channels" in declined.reason
    assert list(write(tmp_path / "c.json", narrow, target="ascend-narrow")[0])[5:] == ["c", "y"]


def test_a_layer_in_a_subgraph_is_not_listed(tmp_path: Path) -> None:
    made = graph(
        """
        c = Conv(x, w) k = ReduceMax<keepdims = 0>(c) b = Cast<to = 9>(k)
        y = If(b) <then_branch = t () => (d) { d = Conv(c, v) }, else_branch = e () => (i) { i = Identity(c) }>
        """,
        x="float[N,32,4,4] x",
        w=numbers(32, 32, 1, 1),
        v=numbers(32, 32, 1, 1),
    )
    document, notes = write(tmp_path / "c.json", made)
    assert list(document)[5:] == ["c"]
    assert [(declined.node, declined.reason) for declined in notes.declined] == [
        ("d", "it is inside a subgraph, and only the main graph is quantised")
    ]


def test_without_offsets_convolutions_in_three_dimensions_are_listed(tmp_path: Path) -> None:
    volume = graph("y = Conv(x, w)", x="float[N,32,4,4,4] x", w=numbers(8, 32, 1, 1, 1))
    document, _ = write(tmp_path / "c.json", volume, activation_offset=False)
    assert document["activation_offset"] is False
    assert document["y"]["activation_quant_params"]["asymmetric"] is False
    with pytest.raises(InvalidOption, match="no layer is left that ascend would quantise"):
        write(tmp_path / "c.json", volume)


@pytest.mark.parametrize(
    "definition",
    [
        "",
        SIMPLIFIED,
        "activation_offset: false do_fusion: false",
        'common_config { hfmg_quantize { num_of_bins: 8192 } arq_quantize { channel_wise: false } } skip_layers: "fc"',
    ],
    ids=["default", "documented", "no offsets", "one scale"],
)
def test_what_is_written_is_read_back_to_the_same(tmp_path: Path, definition: str) -> None:
    (tmp_path / "c.cfg").write_text(definition)
    model, said = network(), read(tmp_path / "c.cfg")
    write(tmp_path / "c.json", model, definition=tmp_path / "c.cfg")
    back = read(tmp_path / "c.json")
    back.check(model)
    assert back.target == said.target
    assert back.batch_num == (said.batch_num or 1)
    folding = "fold-batch-norm.exclude_layers"
    assert back.options(PASSES).get(folding) == said.options(PASSES).get(folding)
    layers = [node for node in model.graph if node.name in back.layers]
    assert settings(back, layers) == settings(said, layers)
    write(tmp_path / "again.json", model, definition=tmp_path / "c.json")
    again = read(tmp_path / "again.json")
    assert (again.layers, again.skip_layers) == (back.layers, back.skip_layers)


def settings(config: AmctConfig, layers: Sequence[ir.Node]) -> dict[str, object]:
    """What holds for each layer, with what is not said filled in."""
    found: dict[str, object] = {}
    for node in layers:
        own = config.settings(node)
        one_scale = own.channel_wise is False or node.op_type in ("Gemm", "AveragePool")
        found[str(node.name)] = own.observer, own.options, config.is_asymmetric(own), one_scale
    return found


def test_options_that_come_back_are_those_of_the_recipe(tmp_path: Path) -> None:
    write(tmp_path / "c.json", network(), skip_layers="pool")
    assert read(tmp_path / "c.json").options(PASSES) == {
        "calibrate.observer": "ifmr",
        "calibrate.observer_options": [],
        "*.rounding": "nearest",
        "*.per_tensor": ["fc"],
        "*.only_nodes": ["conv1", "conv2", "conv3", "fc"],
        "*.exclude_nodes": ["pool"],
    }


def test_a_definition_says_it_all(tmp_path: Path) -> None:
    (tmp_path / "c.cfg").write_text("batch_num: 2")
    with pytest.raises(InvalidOption, match="the definition says it all; put the other options into it"):
        write(tmp_path / "c.json", network(), definition=tmp_path / "c.cfg", batch_num=3)


def test_a_layer_that_is_not_there_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipe, match="pass 'write-amct-config', skip_layers: no node is called 'conv9'"):
        write(tmp_path / "c.json", network(), skip_layers="conv9")
    assert list(tmp_path.iterdir()) == []


def test_the_recipe_ends_with_it() -> None:
    (*_, last) = recipe.find("ascend-config").steps
    assert last.name == "write-amct-config"


def test_layers_go_by_the_names_of_the_source(tmp_path: Path) -> None:
    model = network()
    for node in model.graph:
        if node.name in ("conv1", "conv2"):
            node.meta[SOURCE_NAME_KEY] = f"net/{node.name}/Conv2D"
    (tmp_path / "c.cfg").write_text('skip_layers: "net/conv1/Conv2D" skip_fusion_layers: "net/conv2/Conv2D"')
    document, _ = write(tmp_path / "c.json", model, definition=tmp_path / "c.cfg")
    assert list(document)[5:] == ["conv3", "fc", "net/conv1/Conv2D", "net/conv2/Conv2D", "pool"]
    assert not document["net/conv1/Conv2D"]["quant_enable"]
    assert document["skip_fusion_layers"] == ["net/conv2/Conv2D"]
    back = read(tmp_path / "c.json").renamed(model)
    back.check(model)
    assert (back.skip_layers, back.skip_fusion_layers) == (("conv1",), ("conv2",))
    assert back.listed == tuple(back.layers) == ("conv3", "fc", "conv2", "pool")
