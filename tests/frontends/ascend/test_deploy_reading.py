from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import amct_files
from amct_files import FloatGraph, Record
from corruption import CORRUPTIONS
from deploy_models import convolution, deploy, every_operator, integers, words
from graph_mutations import mutated
from onnxpress import model_files
from onnxpress.ascend import deploy_files
from onnxpress.ascend.checking import check
from onnxpress.ascend.constant_weights import settle_constants
from onnxpress.ascend.layers import array, layers
from onnxpress.errors import InvalidModel, OnnxpressError, UnsupportedModel
from onnxpress.kinds import WARNINGS_KEY
from onnxpress.runtime import Session
from onnxpress.verify import verify
from onnxpress_backends.ascend.deploying import deployed
from onnxpress_frontends.onnx_source import load

IMAGE = {"x": np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)}


def node(model: ir.Model, name: str) -> ir.Node:
    return next(node for node in model.graph.all_nodes() if node.name == name)


def numbers(model: ir.Model, name: str) -> np.ndarray:
    return model.graph.initializers[name].const_value.numpy()


def computed(model: ir.Model) -> dict[str, np.ndarray]:
    verify(model)
    return Session(model, threads=1).run(IMAGE)


def refusal(model: ir.Model | Path) -> str:
    with pytest.raises(OnnxpressError) as caught:
        load(model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def contents(model: ir.Model) -> list[tuple[object, ...]]:
    """The words, integers and names of every layer."""
    return [
        (
            layer.cube.name,
            layer.quant.name,
            layer.scale,
            layer.offset,
            layer.deq_scale.tobytes(),
            None if layer.weight is None else (layer.weight.name, array(layer.weight).tobytes()),
            None if layer.bias is None else (layer.bias.name, array(layer.bias).tobytes()),
        )
        for layer in layers(model)
    ]


class TestOneLayer:
    def test_every_part_of_it(self):
        model = load(convolution())
        verify(model)
        assert [item.op_type for item in model.graph] == [
            "QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "DequantizeLinear", "Conv", "Relu"
        ]  # fmt: skip
        assert (numbers(model, "x_scale"), numbers(model, "x_zero_point")) == (np.float32(1) / np.float32(50), -3)
        assert numbers(model, "x_zero_point").dtype == np.int8
        assert np.array_equal(numbers(model, "w_quantized"), integers(4, 3, 3, 3))
        assert np.array_equal(numbers(model, "b_quantized"), integers(4, dtype="int32", high=1000))
        assert np.array_equal(numbers(model, "b_scale"), np.array([1e-3, 2e-3, 3e-3, 4e-3], np.float32))
        assert np.array_equal(numbers(model, "b_scale"), numbers(model, "x_scale") * numbers(model, "w_scale"))
        assert WARNINGS_KEY not in model.meta

    def test_it_computes_what_the_integers_say(self):
        """The reference is the definition in integers, by numpy."""
        data = IMAGE["x"]
        quantised = np.clip(np.rint(data * np.float32(50)) - 3, -128, 127).astype(np.int64)
        padded = np.pad(quantised, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-3) + 3
        kernel, bias = integers(4, 3, 3, 3).astype(np.int64), integers(4, dtype="int32", high=1000)
        taps = np.lib.stride_tricks.sliding_window_view(padded[0], (3, 3), axis=(1, 2))
        accumulator = np.einsum("cyxij,ocij->oyx", taps, kernel) + bias[:, None, None]
        expected = accumulator * np.array([1e-3, 2e-3, 3e-3, 4e-3])[:, None, None]
        actual = computed(load(convolution()))["y"][0]
        np.testing.assert_allclose(actual, np.maximum(expected, 0), rtol=1e-5, atol=1e-3)

    def test_one_word_is_one_scale(self):
        model = load(convolution(s=words(0.001)))
        assert numbers(model, "w_scale").shape == numbers(model, "b_scale").shape == ()
        assert "axis" not in node(model, "w_DequantizeLinear").attributes

    def test_the_model_of_the_caller_stays_as_it_is(self):
        given = convolution()
        before = model_files.to_proto(given).SerializeToString(deterministic=True)
        load(given)
        assert model_files.to_proto(given).SerializeToString(deterministic=True) == before


class TestRoundTrip:
    @pytest.mark.parametrize("build", [convolution, every_operator])
    def test_what_is_read_and_deployed_again_is_the_same_to_the_bit(self, build):
        check(given := build())
        for layer in layers(given):
            layer.quant.name = f"{layer.cube.name}.quant"  # as AMCT calls it, and we
        again = deployed(load(given))
        check(again)
        assert contents(again) == contents(given)

    @pytest.mark.parametrize("seed", range(20))
    def test_any_words_of_the_two_formulas(self, seed: int):
        rng = np.random.default_rng(seed)
        step = np.float32(np.exp(rng.uniform(-10, 5)))
        scales = np.exp(rng.uniform(-12, 0, 4)).astype(np.float32)
        given = convolution(s=words(*(step * scales)))
        quant = node(given, "q")
        quant.name = "c.quant"
        quant.attributes["scale"] = ir.AttrFloat32("scale", float(np.float32(1) / step))
        assert contents(deployed(load(given))) == contents(given)

    def test_amct_s_file(self):
        """Ours has no Transposes, Constants and doubled quants; numbers and names of layers are AMCT's."""
        given = ir.serde.deserialize_model(amct_files.deploy_file(amct_files.network()))
        again = deployed(load(given))
        check(again)
        settle_constants(given)
        expected = {layer.cube.name: layer for layer in layers(given)}
        found = {layer.cube.name: layer for layer in layers(again)}
        assert list(found) == list(expected) == ["conv", "pool", "deconv", "linear", "fc"]
        for name, layer in expected.items():
            assert (found[name].scale, found[name].offset) == (layer.scale, layer.offset)
            assert np.array_equal(found[name].deq_scale, layer.deq_scale)
            assert layer.bias is None or np.array_equal(array(found[name].bias), array(layer.bias))
            turned = array(layer.weight).T if name == "fc" else None if layer.weight is None else array(layer.weight)
            assert turned is None or np.array_equal(array(found[name].weight), turned)

    def test_words_that_are_no_product(self):
        """AMCT's FORCE_FP16_QUANT cuts the words to 19 bits; what cannot be said is said."""
        cut = (words(*np.geomspace(1e-3, 2e-3, 64)) & np.uint64(0xFFFFE000)).astype(np.uint64)
        given = convolution(w=integers(64, 3, 3, 3), b=integers(64, dtype="int32"), s=cut)
        given.graph.outputs[0].shape = ir.Shape([1, 64, 8, 8])
        given.graph.outputs[0].producer().inputs[0].shape = None
        node(given, "q").attributes["scale"] = ir.AttrFloat32("scale", float(np.float32(1) / np.float32(1.43)))
        model = load(given)
        assert model.meta[WARNINGS_KEY] == [
            "no float32 scale of the weights gives exactly the words of AscendDequant behind 1 layers (c); "
            "the nearest stand, one unit in the last place off"
        ]
        (before,), (after,) = layers(given), layers(deployed(model))
        assert np.abs(after.deq_scale.view(np.int32) - before.deq_scale.view(np.int32)).max() == 1


class TestEveryOperator:
    def test_it_runs_and_has_its_names(self):
        model = load(every_operator())
        assert set(computed(model)) == {"y", "z"}
        kept = [item.name for item in model.graph if not item.op_type.endswith("Linear")]
        assert [name for name in kept if not name.startswith("wt_")] == ["c", "p", "a", "t", "f", "m", "mb", "g"]
        assert [value.outputs[0].name for value in (node(model, "c"), node(model, "m"), node(model, "mb"))] == [
            "d", "m", "dm"
        ]  # fmt: skip

    def test_channels_of_a_grouped_transposed_convolution(self):
        model = load(every_operator())
        weight = integers(4, 2, 2, 2).astype(np.float32).reshape(2, 2, 2, 2, 2)
        step = np.float32(1) / np.float32(50)
        scales = (np.array([1e-3, 2e-3, 3e-3, 4e-3], np.float32) / step).reshape(2, 1, 2, 1, 1)
        expected = (weight * scales).reshape(4, 2, 2, 2)
        found = Session(model, threads=1, outputs=[node(model, "t").inputs[1].name]).run(IMAGE)
        np.testing.assert_allclose(next(iter(found.values())), expected, rtol=1e-6)

    def test_padding_between_a_quant_and_its_pooling_is_zero(self):
        filled = every_operator()
        given = computed(load(filled))
        zero = ir.Value(name="zero", const_value=ir.tensor(np.array(-3, np.int8), name="zero"))
        zero.type, zero.shape = ir.TensorType(ir.DataType.INT8), ir.Shape([])
        filled.graph.register_initializer(zero)
        node(filled, "p").resize_inputs(3)
        node(filled, "p").replace_input_with(2, zero)
        assert all(np.array_equal(array, given[name]) for name, array in computed(load(filled)).items())


class TestAmct:
    @pytest.mark.parametrize("opset", [11, 13, 16])
    def test_its_deploy_file(self, opset: int):
        given = amct_files.deploy_file(amct_files.network(opset=opset))
        fake = amct_files.fake_quant_file(amct_files.network(opset=opset))
        onnx.checker.check_model(fake)
        expected = Session(ir.serde.deserialize_model(fake), threads=1).run(IMAGE)
        model = load(given)
        assert model.opset_imports[""] == max(opset, 13)
        for name, found in computed(model).items():
            np.testing.assert_allclose(found, expected[name], rtol=1e-5, atol=1e-4)

    def test_names(self):
        model = load(amct_files.deploy_file(amct_files.network()))
        layer_outputs = [node(model, name).outputs[0].name for name in ("conv", "pool", "deconv", "linear", "fc")]
        assert layer_outputs == ["c", "a", "t", "m", "y"]
        assert {"w_quantized", "wt_quantized", "wm_quantized", "wg_quantized"} <= set(model.graph.initializers)

    def test_half_precision(self):
        """float16 goes in and comes out of a layer; between, numbers are float32."""
        model = load(amct_files.deploy_file(amct_files.network(opset=13, half=True)))
        verify(model)
        assert node(model, "conv").outputs[0].dtype == ir.DataType.FLOAT
        casts = [item for item in model.graph if item.op_type == "Cast"]
        assert len(casts) == 2 * 5
        image = {"x": IMAGE["x"].astype(np.float16)}
        fake = ir.serde.deserialize_model(amct_files.fake_quant_file(amct_files.network(opset=13, half=True)))
        expected = Session(fake, threads=1).run(image)
        for name, found in Session(model, threads=1).run(image).items():
            assert found.dtype == np.float16
            np.testing.assert_allclose(found, expected[name], rtol=5e-3, atol=0.05)

    def test_one_quant_for_each_layer_on_a_tensor(self):
        """Before ``quant_fusion_pass``, and where steps differ, a tensor has several."""
        text = """siblings (float[1,4] x, float[4,3] w, float[4,3] v) => (float[1,3] y, float[1,3] z) {
            [one] y = MatMul(x, w) [two] z = MatMul(x, v) }"""
        records = {
            "one": Record(scale_d=0.1, offset_d=1, scale_w=(0.1,)),
            "two": Record(scale_d=0.2, offset_d=2, scale_w=(0.1,)),
        }
        arrays = {"w": np.ones((4, 3), np.float32), "v": np.ones((4, 3), np.float32)}
        model = load(amct_files.deploy_file(FloatGraph(text=text, arrays=arrays, records=records, opset=13)))
        verify(model)
        quants = [item for item in model.graph if item.op_type == "QuantizeLinear"]
        assert [float(item.inputs[1].const_value.numpy()) for item in quants] == pytest.approx([0.1, 0.2])
        found = Session(model, threads=1).run({"x": np.full((1, 4), 0.4, np.float32)})
        assert found["y"][0] == pytest.approx([1.6] * 3) and found["z"][0] == pytest.approx([1.6] * 3)

    def test_a_dynamic_batch(self):
        given = ir.serde.deserialize_model(amct_files.deploy_file(amct_files.network(opset=13)))
        given.graph.inputs[0].shape = ir.Shape(["N", 3, 8, 8])
        verify(load(given))

    def test_relu_and_roots(self):
        model = deploy(
            """a (float[1,4] x, int8[3,4] w, int8[1] o, uint64[3] s) => (float[1,3] y) {
                q = AscendQuant<scale = 3.0, offset = 5.0, sqrt_mode = 1>(x)
                v = AscendWeightQuant(w, o)
                g = Gemm<transB = 1>(q, v)
                y = AscendDequant<sqrt_mode = 1, relu_flag = 1>(g, s)
            }""",
            w=integers(3, 4),
            o=np.zeros(1, np.int8),
            s=words(0.5, 0.25, 0.125),
        )
        read = load(model)
        verify(read)
        assert [item.op_type for item in read.graph][-2:] == ["Gemm", "Relu"]
        data = np.array([[0.1, -1.0, 2.0, 3.0]], np.float32)
        quantised = np.clip(np.rint(data * 9) + 5, -128, 127) - 5
        expected = np.maximum(quantised @ integers(3, 4).T.astype(np.float32) * [0.25, 0.0625, 0.015625], 0)
        np.testing.assert_allclose(Session(read, threads=1).run({"x": data})["y"], expected, rtol=1e-5)

    def test_a_return_to_half_precision(self):
        model = deploy(
            """a (float16[1,4] x) => (float16[1,4] y) {
                q = QUANT(x)
                y = AscendAntiQuant<scale = 0.02, offset = -3.0, dtype = 1>(q)
            }"""
        )
        verify(read := load(model))
        assert [item.op_type for item in read.graph] == ["Cast", "QuantizeLinear", "DequantizeLinear", "Cast"]
        found = Session(read, threads=1).run({"x": np.array([[0.1, 0.2, -0.3, 9]], np.float16)})["y"]
        assert found.dtype == np.float16 and found[0] == pytest.approx([0.1, 0.2, -0.3, 2.6], abs=1e-3)

    def test_two_outputs_of_one_pair(self):
        model = deploy(
            """a (float[1,4] x) => (float[1,4] y, float[1,4] z) {
                q = QUANT(x)
                y = AscendAntiQuant<scale = 0.02, offset = -3.0>(q)
                z = AscendAntiQuant<scale = 0.02, offset = -3.0>(q)
            }"""
        )
        found = Session(load(model), threads=1).run({"x": np.array([[0.1, 0.2, -0.3, 9]], np.float32)})
        assert np.array_equal(found["y"], found["z"])
        assert found["y"][0] == pytest.approx([0.1, 0.2, -0.3, 2.6])


class TestRefusals:
    def test_a_broken_model(self):
        assert refusal(convolution(s=words(np.nan, 1, 1, 1))) == (
            "the model is not a valid deploy model: "
            "node 'd' (AscendDequant): deq_scale holds nan, not a normal positive float32"
        )

    def test_a_pooling_with_another_step(self):
        model = every_operator()
        node(model, "da").replace_input_with(1, model.graph.initializers["sg"])
        assert refusal(model) == (
            "node 'da' (AscendDequant) multiplies by 0.001 what a pooling gives on a step of 0.02; "
            "ONNX has no name for another step behind a pooling than before it"
        )

    @pytest.mark.parametrize("attribute", [ir.AttrFloat32("scale", 0.5), ir.AttrFloat32("offset", 1.0)])
    def test_a_return_to_other_numbers(self, attribute: ir.Attr):
        model = every_operator()
        node(model, "z").attributes[attribute.name] = attribute
        assert refusal(model) == (
            "node 'z' (AscendAntiQuant) has another step or offset than 'qg' (AscendQuant), "
            "which no pair of QuantizeLinear and DequantizeLinear has"
        )

    def test_scales_out_of_reach(self):
        model = convolution(s=words(1e-37, 1, 1, 1))
        node(model, "q").attributes["scale"] = ir.AttrFloat32("scale", 1e-30)
        with pytest.raises(UnsupportedModel) as caught:
            load(model)
        assert str(caught.value) == (
            "node 'd' (AscendDequant) and 'q' (AscendQuant) together give "
            "the weights a scale that float32 does not hold"
        )

    def test_an_invalid_protobuf(self):
        proto = amct_files.deploy_file(amct_files.network())
        proto.graph.node[-1].input[0] = "nowhere"
        with pytest.raises(InvalidModel, match=r"^the onnx\.ModelProto is not a valid model: Nodes in a graph must be"):
            load(proto)


class TestFiles:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "model" / "net_deploy_model.onnx"
        path.parent.mkdir()
        onnx.save(amct_files.deploy_file(amct_files.network()), path)
        return path

    @pytest.fixture
    def external(self, tmp_path: Path) -> Path:
        """AMCT's form over 2 GB: every weight in one file beside the model."""
        path = tmp_path / "model" / "net_deploy_model.onnx"
        path.parent.mkdir()
        network = amct_files.network()
        network.constants = ()
        onnx.save(
            amct_files.deploy_file(network), path, save_as_external_data=True, location="net_deploy.external",
            size_threshold=0,
        )  # fmt: skip
        return path

    def test_weights_beside_the_file(self, external: Path):
        inline = load(amct_files.deploy_file(amct_files.network()))
        found = computed(load(external))
        assert all(np.array_equal(array, found[name]) for name, array in computed(inline).items())

    def test_a_weight_that_only_changes_its_name_stays_on_disk(self, tmp_path: Path):
        wide = deploy(
            """a (float[1,300] x, int8[300,8] w, uint64[1] s) => (float[1,8] y) {
                q = QUANT(x) g = Gemm(q, w) y = DEQUANT(g, s) }""",
            w=integers(300, 8),
            s=words(1e-3),
        )
        path = deploy_files.save(wide, tmp_path / "m.onnx", external_data=True)[0]
        assert isinstance(load(path).graph.initializers["w_quantized"].const_value, ir.ExternalTensor)

    @pytest.mark.parametrize("location", ["../secret", "/etc/passwd", ""])
    def test_weights_outside_the_folder(self, external: Path, location: str):
        (external.parent.parent / "secret").write_bytes(bytes(5000))
        proto = onnx.load(external, load_external_data=False)
        for tensor in proto.graph.initializer:
            for entry in tensor.external_data:
                entry.value = location if entry.key == "location" else entry.value
        external.write_bytes(proto.SerializeToString())
        assert "outside the model's folder; external data must lie beside the model" in refusal(external)

    def test_truncated_weights(self, external: Path):
        os.truncate(external.with_name("net_deploy.external"), 20)
        assert refusal(external).endswith("the file is truncated")

    def test_a_truncated_file(self, path: Path):
        os.truncate(path, path.stat().st_size // 2)
        assert refusal(path) == f"{path} is not an ONNX file, or is truncated or corrupt"

    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("fake", [False, True], ids=["deploy", "fake-quant"])
    def test_damage_is_refused_or_harmless(self, path: Path, seed: int, fake: bool):
        if fake:
            onnx.save(amct_files.fake_quant_file(amct_files.network()), path)
        sound, generator = path.read_bytes(), np.random.default_rng(seed)
        for _ in range(20):
            path.write_bytes(CORRUPTIONS[int(generator.integers(len(CORRUPTIONS)))](sound, generator))
            try:
                model = load(path)
                verify(model)
                Session(model, threads=1)
            except OnnxpressError as error:
                assert "\n" not in str(error)

    @pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
    @pytest.mark.parametrize("fake", [False, True], ids=["deploy", "fake-quant"])
    def test_mutated_graphs_are_refused_or_sound(self, path: Path, seed: int, fake: bool):
        make, outcomes = amct_files.fake_quant_file if fake else amct_files.deploy_file, set()
        sound, count = make(amct_files.network()), 1200 if seed else 120
        for number in range(seed * 120, seed * 120 + count):
            path.write_bytes(mutated(sound, number).SerializeToString())
            try:
                model = load(path)
                verify(model)
                outcomes.add("sound")
            except OnnxpressError as error:
                assert "\n" not in str(error)
                outcomes.add("refused")
        assert outcomes == {"sound", "refused"}
