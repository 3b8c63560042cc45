"""Backend ``ascend-pb``: the file, its names, its options, and what other readers make of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from clean_tensorflow import CleanTensorflow
from onnxpress import compress, convert
from onnxpress.ascend.simulation.simulator import Simulator
from onnxpress.errors import UnsupportedModel
from onnxpress.kinds import WARNINGS_KEY
from onnxpress.runtime import Session
from onnxpress.testing import model as parse
from onnxpress_backends.ascend.deploying import deployed
from onnxpress_backends.ascend.frozen_graphs.writing import ASCEND_PB
from onnxpress_backends.tensorflow.graphs.protos import protos
from quantised_models import quantised

NETWORK = """
g (float[1,4,8,8] image, float[8,4,3,3] w, float[8] b, float[8,1,3,3] v, float[8] vb, float[512,10] f, float[10] fb)
  => (float[1,8,8,8] map, float[1,10] logits) {
  [conv1] c = Conv<pads=[1,1,1,1]>(image, w, b)
  r = Relu(c)
  [depthwise] map = Conv<pads=[1,1,1,1], group=8>(r, v, vb)
  t = Flatten(map)
  [head] logits = Gemm(t, f, fb)
}
"""


def network(text: str = NETWORK) -> ir.Model:
    """The model of `text`, its nodes called as in a graph of TensorFlow's."""
    model = quantised(text)
    for node in model.graph:
        if node.name in ("conv1", "depthwise"):
            node.name = f"block/{node.name}"
    return model


def names(graph_def: Any, op: str) -> list[str]:
    return [node.name for node in graph_def.node if node.op == op]


def run(tensorflow: CleanTensorflow, path: Path, model: ir.Model, image: Any) -> None:
    """Assert that TensorFlow gives what the simulator gives."""
    given = tensorflow.run(path, {"image": image}, ["map", "logits"])
    for name, expected in Simulator(deployed(model), "tf").run({"image": image}).items():
        np.testing.assert_array_equal(given[name], expected)


def image(seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(1, 4, 8, 8)).astype(np.float32)


def test_a_clean_tensorflow_runs_it(tmp_path: Path, clean_tensorflow: CleanTensorflow) -> None:
    model = network()
    ASCEND_PB.emit(model, tmp_path / "net_quantized.pb")
    run(clean_tensorflow, tmp_path / "net_quantized.pb", model, image())


def test_layers_inputs_and_outputs_keep_their_names(write: Any) -> None:
    graph_def = write(network())
    assert names(graph_def, "Placeholder") == ["image"]
    assert names(graph_def, "Conv2D") == ["block/conv1"]
    assert names(graph_def, "DepthwiseConv2dNative") == ["block/depthwise"]
    assert names(graph_def, "MatMul") == ["head"]
    assert names(graph_def, "AscendQuant") == ["block/conv1.quant", "block/depthwise.quant", "head.quant"]
    assert names(graph_def, "AscendDequant") == ["block/conv1.dequant", "block/depthwise.dequant", "logits"]
    assert {"map", "w_conv1", "b", "block/conv1.dequant.param"} <= {node.name for node in graph_def.node}


def test_a_layer_that_is_called_like_an_output_makes_way(write: Any) -> None:
    text = "g (float[1,4,6,6] x, float[4,4,3,3] w) => (float[1,4,4,4] conv) { [conv] conv = Conv(x, w) }"
    graph_def = write(quantised(text), nhwc=True)
    assert names(graph_def, "AscendDequant") == ["conv"] and names(graph_def, "Conv2D") == ["conv_1"]


def test_bare_nodes_need_ascend_s_adapter(tmp_path: Path, tf: Any) -> None:
    (path,) = ASCEND_PB.emit(network(), tmp_path / "net_quantized.pb", library=False)
    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    assert not graph_def.library.function
    with (
        tf.Graph().as_default(),
        pytest.raises(tf.errors.NotFoundError, match="Op type not registered 'Ascend"),
    ):
        tf.import_graph_def(graph_def, name="")


def test_the_library_holds_what_is_called_and_the_rest_is_the_same(write: Any) -> None:
    model = network()
    graph_def, bare = write(model), write(model, library=False)
    functions = [function.signature.name for function in graph_def.library.function]
    assert functions == ["AscendDequant", "AscendQuant", "AscendWeightQuant"]
    assert list(graph_def.node) == list(bare.node)


@pytest.mark.parametrize("optimised", [True, False], ids=["grappler", "no grappler"])
def test_grappler_changes_no_bit(tmp_path: Path, tf: Any, optimised: bool) -> None:
    model = network(NETWORK.replace("(image, w, b)", "(image, w)"))
    (path,) = ASCEND_PB.emit(model, tmp_path / "net_quantized.pb")
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = not optimised
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(path.read_bytes()), name="")
    with tf.compat.v1.Session(graph=graph, config=config) as session:
        given = session.run(["map:0", "logits:0"], {"image:0": image(1)})
    for array, expected in zip(given, Simulator(deployed(model), "tf").run({"image": image(1)}).values(), strict=True):
        np.testing.assert_array_equal(array, expected)


def test_what_tensorflow_2_imports_as_a_function(tmp_path: Path, tf: Any) -> None:
    model = network()
    (path,) = ASCEND_PB.emit(model, tmp_path / "net_quantized.pb")
    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
    given = wrapped.prune("image:0", "logits:0")(tf.constant(image(2)))
    np.testing.assert_array_equal(given, Simulator(deployed(model), "tf").run({"image": image(2)})["logits"])


def test_reading_it_back_gives_the_simulation_as_onnx(tmp_path: Path) -> None:
    """tf2onnx puts the functions in, so that the file goes wherever a frozen graph goes."""
    model = network()
    (path,) = ASCEND_PB.emit(model, tmp_path / "net_quantized.pb")
    back = convert(path).model
    assert not any(node.op_type.startswith("Ascend") for node in back.graph.all_nodes())
    expected = Simulator(deployed(model), "tf").run({"image": image(3)})
    for name, array in Session(back).run({"image": image(3)}).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-5)


def test_accumulators_beyond_24_bits_are_rounded_by_tensorflow(
    tmp_path: Path, clean_tensorflow: CleanTensorflow
) -> None:
    """2,048 products of 127 by 127 are 33,032,192, above 2**24: float32 has even numbers alone there."""
    text = "g (float[1,2048] image, float[2048,1] w, float[1] b) => (float[1,1] y) { [c] y = Gemm(image, w, b) }"
    bias = np.float32([1 * 0.05 * 0.02])
    model = quantised(text, w=np.full((2048, 1), 100.0, np.float32), b=bias, step=0.05, zero_point=0)
    (path,) = ASCEND_PB.emit(model, tmp_path / "c_quantized.pb")
    feeds = {"image": np.full((1, 2048), 100.0, np.float32)}
    simulator = Simulator(deployed(model), "tf", probes=["c.dequant.input0"])
    accumulator = int(simulator.run(feeds)["c.dequant.input0"].item())
    given = clean_tensorflow.run(path, feeds, ["c/BiasAdd"])["c/BiasAdd"]
    assert accumulator > 2**24 and accumulator % 2 == 1
    assert abs(int(given.item()) - accumulator) <= 1 and int(given.item()) % 2 == 0


def test_a_network_from_a_recipe(tmp_path: Path, clean_tensorflow: CleanTensorflow) -> None:
    rng = np.random.default_rng(0)
    float_model = parse(
        "g (float[N,20,8,8] x) => (float[N,24,8,8] y) { c = Conv<pads=[1,1,1,1]>(x, w, b) r = Relu(c) "
        "y = Conv<pads=[1,1,1,1]>(r, v) }".replace(
            "(float[N,20,8,8] x)", "(float[N,20,8,8] x, float[24,20,3,3] w, float[24] b, float[24,24,3,3] v)"
        ),
        w=rng.normal(size=(24, 20, 3, 3)).astype(np.float32),
        b=rng.normal(size=24).astype(np.float32),
        v=rng.normal(size=(24, 24, 3, 3)).astype(np.float32),
    )
    samples = rng.normal(size=(8, 20, 8, 8)).astype(np.float32)
    out = tmp_path / "net_quantized.pb"
    result = compress(float_model, recipe="int8", target="ascend", data=samples, out=out, batch=2)
    assert result.run.files == [str(out)]
    given = clean_tensorflow.run(out, {"x": samples[:2]}, ["y"])["y"]
    expected = Simulator(deployed(result.model, batch=2), "tf").run({"x": samples[:2]})["y"]
    np.testing.assert_array_equal(given, expected)


def test_an_open_batch_is_refused_with_the_way_out(tmp_path: Path) -> None:
    model = quantised("g (float[N,4] x, float[4,3] w) => (float[N,3] y) { [c] y = Gemm(x, w) }")
    with pytest.raises(UnsupportedModel, match="fix its batch with --batch N"):
        ASCEND_PB.emit(model, tmp_path / "m_quantized.pb")
    (path,) = ASCEND_PB.emit(model, tmp_path / "m_quantized.pb", batch=5)
    (placeholder,) = (
        node for node in protos().graph.GraphDef.FromString(path.read_bytes()).node if node.op == "Placeholder"
    )
    assert [axis.size for axis in placeholder.attr["shape"].shape.dim] == [5, 4]


def test_a_layer_inside_of_a_branch_is_refused(tmp_path: Path) -> None:
    inner = quantised("g (float[1,4] x, float[4,3] w) => (float[1,3] y) { [c] y = Gemm(x, w) }")
    body = ir.serde.serialize_model(inner).graph
    x = body.input.pop()
    then, other = onnx.GraphProto(), onnx.GraphProto()
    then.CopyFrom(body)
    other.CopyFrom(body)
    for index, graph in enumerate((then, other)):
        graph.name = f"branch{index}"
        for node in graph.node:
            node.name = f"{node.name or node.output[0]}{index}"
    node = onnx.helper.make_node("If", ["flag"], ["z"], "if", then_branch=then, else_branch=other)
    flag = onnx.helper.make_tensor_value_info("flag", onnx.TensorProto.BOOL, [])
    z = onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, [1, 3])
    opsets = [onnx.helper.make_opsetid("", 17)]
    proto = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [flag, x], [z]), opset_imports=opsets)
    with pytest.raises(UnsupportedModel, match=r"\(AscendQuant\) stands inside of an If, a Loop or a Scan, where GE"):
        ASCEND_PB.emit(ir.serde.deserialize_model(proto), tmp_path / "m_quantized.pb")
    assert not list(tmp_path.iterdir())


def test_what_the_user_must_know_is_left_in_meta(tmp_path: Path) -> None:
    text = "g (float[1,4] x, float[4,3] w, float[3] b) => (float[1,3] y) { [c] y = Gemm(x, w, b) }"
    model = quantised(text, b=np.float32([1e7, 0, 0]))
    ASCEND_PB.emit(model, tmp_path / "m_quantized.pb")
    assert any("'c'" in sentence and "bias" in sentence for sentence in model.meta[WARNINGS_KEY])


def test_the_same_model_gives_the_same_bytes_without_tensorflow(tmp_path: Path) -> None:
    ir.save(network(), tmp_path / "model.onnx")
    script = (
        "import sys, hashlib; from pathlib import Path; from onnxpress import model_files\n"
        "from onnxpress_backends.ascend.frozen_graphs.writing import ASCEND_PB\n"
        "model = model_files.load(Path('model.onnx'))\n"
        "path, = ASCEND_PB.emit(model, Path('m_quantized.pb'))\n"
        "print(hashlib.sha256(path.read_bytes()).hexdigest(), 'tensorflow' in sys.modules)\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    (line,) = outputs
    assert json.loads(line.split()[1].lower()) is False
