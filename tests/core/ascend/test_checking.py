from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from deploy_models import convolution, deploy, every_operator, integers, words
from onnxpress.ascend.checking import check
from onnxpress.ascend.operators import CUBES, OPERATORS
from onnxpress.ascend.prototypes import CUBES as CUBE_RULES
from onnxpress.ascend.prototypes import PROTOTYPES
from onnxpress.errors import InvalidModel


def refusal(model: ir.Model) -> str:
    with pytest.raises(InvalidModel) as caught:
        check(model)
    message = str(caught.value)
    assert message.startswith("the model is not a valid deploy model: ") and "\n" not in message
    return message.removeprefix("the model is not a valid deploy model: ")


def node(model: ir.Model, name: str) -> ir.Node:
    return next(node for node in model.graph.all_nodes() if node.name == name)


def attribute(name: str, key: str, value: ir.Attr | None) -> Callable[[ir.Model], None]:
    def change(model: ir.Model) -> None:
        node(model, name).attributes.pop(key, None)
        if value is not None:
            node(model, name).attributes[key] = value

    return change


def test_the_table_has_every_operator():
    assert tuple(PROTOTYPES) == OPERATORS
    assert tuple(CUBE_RULES) == CUBES


@pytest.mark.parametrize("build", [convolution, every_operator])
def test_sound_models_pass_and_get_their_types(build: Callable[[], ir.Model]):
    check(model := build())
    expected = {"AscendQuant": ir.DataType.INT8, "AscendDequant": ir.DataType.FLOAT, "Conv": ir.DataType.INT32}
    for item in model.graph:
        assert item.outputs[0].shape is not None and item.outputs[0].shape.is_static()
        assert item.outputs[0].dtype == expected.get(item.op_type, item.outputs[0].dtype)


def test_types_and_shapes_of_every_kind_of_value():
    check(model := every_operator())
    found = {item.name: (item.outputs[0].dtype.name, item.outputs[0].shape.numpy()) for item in model.graph}
    assert found == {
        "q": ("INT8", (1, 3, 8, 8)),
        "c": ("INT32", (1, 4, 8, 8)),
        "d": ("FLOAT", (1, 4, 8, 8)),
        "qp": ("INT8", (1, 4, 8, 8)),
        "p": ("INT8", (1, 4, 10, 10)),
        "a": ("INT32", (1, 4, 5, 5)),
        "da": ("FLOAT", (1, 4, 5, 5)),
        "qt": ("INT8", (1, 4, 5, 5)),
        "t": ("INT32", (1, 4, 10, 10)),
        "dt": ("FLOAT", (1, 4, 10, 10)),
        "f": ("FLOAT", (1, 400)),
        "qm": ("INT8", (1, 400)),
        "m": ("INT32", (1, 6)),
        "mb": ("INT32", (1, 6)),
        "dm": ("FLOAT", (1, 6)),
        "qg": ("INT8", (1, 6)),
        "g": ("INT32", (1, 5)),
        "y": ("FLOAT", (1, 5)),
        "z": ("FLOAT", (1, 6)),
    }


def test_an_operator_with_half_output():
    model = convolution()
    node(model, "d").attributes["dtype"] = ir.AttrInt64("dtype", 1)
    model.graph.outputs[0].dtype = ir.DataType.FLOAT16
    check(model)
    assert node(model, "d").outputs[0].dtype == ir.DataType.FLOAT16


QUANT_SCALE = "node 'q' (AscendQuant): attribute 'scale' is {}; it must be FLOAT in [1.17549e-38, 8388608]"
QUANT_OFFSET = "node 'q' (AscendQuant): attribute 'offset' is {}; it must be whole FLOAT in [-128, 127]"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (attribute("q", "scale", ir.AttrFloat32("scale", 0.0)), QUANT_SCALE.format("0")),
        (attribute("q", "scale", ir.AttrFloat32("scale", float("nan"))), QUANT_SCALE.format("nan")),
        (attribute("q", "scale", ir.AttrFloat32("scale", float("inf"))), QUANT_SCALE.format("inf")),
        (attribute("q", "scale", ir.AttrFloat32("scale", -50.0)), QUANT_SCALE.format("-50")),
        (attribute("q", "scale", ir.AttrFloat32("scale", 1e-40)), QUANT_SCALE.format("1e-40")),
        (attribute("q", "scale", ir.AttrFloat32("scale", 1e7)), QUANT_SCALE.format("1e+07")),
        (attribute("q", "scale", ir.AttrString("scale", "50")), QUANT_SCALE.format("'50'")),
        (
            attribute("q", "scale", None),
            "node 'q' (AscendQuant): attribute 'scale' is missing; it must be FLOAT in [1.17549e-38, 8388608]",
        ),
        (attribute("q", "offset", ir.AttrFloat32("offset", 128.0)), QUANT_OFFSET.format("128")),
        (attribute("q", "offset", ir.AttrFloat32("offset", -129.0)), QUANT_OFFSET.format("-129")),
        (attribute("q", "offset", ir.AttrFloat32("offset", 0.5)), QUANT_OFFSET.format("0.5")),
        (attribute("q", "offset", ir.AttrFloat32("offset", float("nan"))), QUANT_OFFSET.format("nan")),
        (attribute("q", "offset", ir.AttrInt64("offset", 3)), QUANT_OFFSET.format("3")),
        (
            attribute("q", "dst_type", ir.AttrString("dst_type", "INT4")),
            "node 'q' (AscendQuant): attribute 'dst_type' is 'INT4'; it must be STRING 'INT8'",
        ),
        (
            attribute("q", "round_mode", ir.AttrString("round_mode", "Floor")),
            "node 'q' (AscendQuant): attribute 'round_mode' is 'Floor'; it must be STRING 'Round'",
        ),
        (
            attribute("q", "axis", ir.AttrInt64("axis", 1)),
            "node 'q' (AscendQuant) has no attribute 'axis'; it takes scale, offset, dst_type, round_mode, sqrt_mode",
        ),
        (
            attribute("d", "dtype", ir.AttrInt64("dtype", 3)),
            "node 'd' (AscendDequant): attribute 'dtype' is 3; it must be INT 0 or 1",
        ),
        (
            attribute("d", "relu_flag", ir.AttrInt64("relu_flag", 2)),
            "node 'd' (AscendDequant): attribute 'relu_flag' is 2; it must be INT 0 or 1",
        ),
    ],
)
def test_attributes(change: Callable[[ir.Model], None], sentence: str):
    change(model := convolution())
    assert refusal(model) == sentence


WORDS = np.uint64(1) << np.uint64(32)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"s": words(1, 2)}, "node 'd' (AscendDequant): deq_scale has 2 words for 4 channels; 1 or 4 are right"),
        (
            {"s": words(1, 2, 3, 4, 5)},
            "node 'd' (AscendDequant): deq_scale has 5 words for 4 channels; 1 or 4 are right",
        ),
        (
            {"s": words(1, 2, 3, 4).reshape(1, 4)},
            "node 'd' (AscendDequant): deq_scale must be a constant vector of UINT64",
        ),
        (
            {"s": words(1, 2, 3, 4) + WORDS},
            "node 'd' (AscendDequant): deq_scale has a shift or an offset in its high words, which must be 0",
        ),
        (
            {"s": words(1, 2, 3, 4) + (WORDS << np.uint64(8))},
            "node 'd' (AscendDequant): deq_scale has a shift or an offset in its high words, which must be 0",
        ),
        ({"s": words(1, 2, 3, 4).astype(np.int64)}, "node 'd' (AscendDequant): 's' is INT64, not UINT64"),
        *(
            (
                {"s": words(1, number, 3, 4)},
                f"node 'd' (AscendDequant): deq_scale holds {shown}, not a normal positive float32",
            )
            for number, shown in [(0, "0"), (-1, "-1"), (np.nan, "nan"), (np.inf, "inf"), (1e-40, "9.99995e-41")]
        ),
        ({"w": integers(4, 3, 3, 3).astype(np.float32)}, "node 'c' (Conv): its weight must be a constant of INT8"),
        ({"w": integers(4, 3, 3, 3).astype(np.uint8)}, "node 'c' (Conv): its weight must be a constant of INT8"),
        ({"w": integers(4, 27)}, "node 'c' (Conv): its weight has 2 dimensions, not 3 or 4 or 5"),
        ({"b": np.ones(4, np.float32)}, "node 'c' (Conv): its bias must be a constant of INT32"),
        ({"b": np.ones(3, np.int32)}, "node 'c' (Conv): its bias has 3 numbers for 4 channels"),
    ],
)
def test_constants(changed: dict[str, np.ndarray], sentence: str):
    assert refusal(convolution(**changed)) == sentence


LAYER = "(float[1,3,8,8] x, int8[4,3,3,3] w, uint64[1] s) => (float[1,4,6,6] y)"
MATMUL = "(float[1,4] x, int8[4,3] w, int32[3] b, float[3] f, uint64[1] s) => (float[1,3] y)"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            f"a {LAYER} {{ c = Conv(x, w) y = DEQUANT(c, s) }}",
            "node 'c' (Conv): its data 'x' do not come from AscendQuant",
        ),
        (
            f"a {LAYER} {{ y = Conv(x, w) }}",
            "node 'y' (Conv): its data 'x' do not come from AscendQuant",
        ),
        (
            f"a {LAYER} {{ q = QUANT(x) y = Conv(q, w) }}",
            "node 'y' (Conv): its accumulator must go to one AscendDequant and nowhere else",
        ),
        (
            f"a {LAYER} {{ q = QUANT(x) c = Conv(q, w) r = Relu(c) y = DEQUANT(r, s) }}",
            "node 'c' (Conv): its accumulator must go to one AscendDequant and nowhere else; "
            "node 'y' (AscendDequant): 'r' is not what Conv, ConvTranspose, Gemm, MatMul, AveragePool gives, "
            "or Add behind MatMul",
        ),
        (
            f"a {LAYER} {{ q = QUANT(x) c = Conv(q, w) d = DEQUANT(c, s) e = DEQUANT(c, s) y = Add(d, e) }}",
            "node 'c' (Conv): its accumulator must go to one AscendDequant and nowhere else",
        ),
        (
            f"a {LAYER} {{ q = QUANT(x) r = Relu(q) c = Conv(r, w) y = DEQUANT(c, s) }}",
            "node 'q' (AscendQuant): node 'r' (Relu) does not take integers as input 0; "
            "node 'c' (Conv): its data 'r' do not come from AscendQuant",
        ),
        (
            f"a {LAYER} {{ q = QUANT(x) c = Conv(q, q) y = DEQUANT(c, s) }}",
            "node 'q' (AscendQuant): node 'c' (Conv) does not take integers as input 1; "
            "node 'c' (Conv): its weight must be a constant of INT8",
        ),
        (
            f"a {LAYER} {{ q = QUANT(x, s) c = Conv(q, w) y = DEQUANT(c, s) }}",
            "node 'q' (AscendQuant) has 2 inputs, not 1",
        ),
        (
            f"a {LAYER} {{ q = QUANT(x) c = Conv(q, w) y = DEQUANT(c) }}",
            "node 'y' (AscendDequant) has 1 inputs, not 2",
        ),
        (
            "a (float[1,4] x) => (int8[1,4] y) { y = QUANT(x) }",
            "node 'y' (AscendQuant): its integers are an output of the graph",
        ),
        (
            "a (float[1,4] x) => (float[1,4] y) { y = AscendAntiQuant<scale = 1.0, offset = 0.0>(x) }",
            "node 'y' (AscendAntiQuant): 'x' does not come from AscendQuant",
        ),
        (
            f"a {MATMUL} {{ q = QUANT(x) m = MatMul(q, w) n = Add(m, f) y = DEQUANT(n, s) }}",
            "node 'n' (Add): its bias must be a constant of INT32",
        ),
        (
            f"a {MATMUL} {{ q = QUANT(x) m = Gemm<alpha = 0.5>(q, w, b) y = DEQUANT(m, s) }}",
            "node 'm' (Gemm): attribute 'alpha' is 0.5; it must be FLOAT 1.0",
        ),
        (
            f"a {MATMUL} {{ q = QUANT(x) m = Gemm<transA = 1>(q, w, b) y = DEQUANT(m, s) }}",
            "node 'm' (Gemm): attribute 'transA' is 1; it must be INT 0",
        ),
        (
            f"a {MATMUL} {{ v = AscendWeightQuant(w, w) q = QUANT(x) m = MatMul(q, v) y = DEQUANT(m, s) }}",
            "node 'v' (AscendWeightQuant): the offset of weights must be a constant of zeros, "
            "for weights are symmetric",
        ),
        (
            f"a {MATMUL} {{ q = QUANT(x) m = MatMul(q, w) y = DEQUANT(z, s) z = Identity(m) }}",
            "node 'y' (AscendDequant) uses 'z', which is not defined before it",
        ),
    ],
)
def test_graphs(text: str, sentence: str):
    arrays = {"w": integers(4, 3, 3, 3), "s": words(0.001)}
    if "MatMul" in text or "Gemm" in text:
        arrays |= {"w": integers(4, 3), "b": integers(3, dtype="int32"), "f": np.ones(3, np.float32)}
    model = deploy(text, **{name: array for name, array in arrays.items() if f"] {name}" in text})
    assert refusal(model) == sentence


def test_shapes_that_contradict_each_other():
    model = every_operator()
    model.graph.outputs[0].shape = ir.Shape([1, 6])
    assert refusal(model).startswith("shape inference failed: ")


def test_channels_that_contradict_each_other():
    model = convolution(w=integers(4, 5, 3, 3))
    assert refusal(model) == "node 'c' (Conv): its weight is for 5 channels, but the data have 3"
    node(model := convolution(w=integers(4, 1, 3, 3)), "c").attributes["group"] = ir.AttrInt64("group", 3)
    assert refusal(model) == "node 'c' (Conv): its channels do not divide into 3 groups"


@pytest.mark.parametrize("shape", [["N", 3, 8, 8], [None, 3, 8, 8], [0, 3, 8, 8], None])
def test_a_dynamic_input(shape: list[object] | None):
    model = convolution()
    model.graph.inputs[0].shape = None if shape is None else ir.Shape(shape)
    assert refusal(model).startswith("input 'x' has shape ")
    assert refusal(model).endswith("but ATC needs every dimension of it fixed")


@pytest.mark.parametrize("dtype", [ir.DataType.UINT8, ir.DataType.DOUBLE, ir.DataType.STRING])
def test_data_that_are_no_floats(dtype: ir.DataType):
    model = convolution()
    model.graph.inputs[0].dtype = dtype
    assert refusal(model) == f"node 'q' (AscendQuant): 'x' is {dtype}, not FLOAT or FLOAT16"


def test_an_operator_of_another_domain():
    model = convolution()
    node(model, "q").domain = "huawei"
    model.opset_imports["huawei"] = 1
    assert refusal(model) == "node 'q' (AscendQuant) is of domain 'huawei', but ATC knows it in ONNX's own"


@pytest.mark.parametrize("opset", [7, 23])
def test_an_opset_that_atc_does_not_read(opset: int):
    model = convolution()
    model.opset_imports[""] = opset
    assert refusal(model) == f"the opset is {opset}, but ATC reads 8 to 22"


def test_a_long_list_is_cut():
    model = every_operator()
    for item in model.graph:
        if item.op_type == "AscendQuant":
            item.attributes["scale"] = ir.AttrFloat32("scale", 0.0)
            item.attributes["offset"] = ir.AttrFloat32("offset", 0.5)
    assert refusal(model).count("attribute") == 5
    assert refusal(model).endswith(" (and 5 more)")
