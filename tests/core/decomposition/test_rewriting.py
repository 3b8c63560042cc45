from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrated import graph, numbers
from one_node import FEW
from onnxpress.decomposition.forms import split, tucker2
from onnxpress.decomposition.layer_stacks import OPERATORS, Form, Layer, Stack
from onnxpress.decomposition.rewriting import bias_of, kernel_of, layer_of, rewrite
from onnxpress.errors import UnsupportedModel
from onnxpress.naming import Names
from onnxpress.run import settle
from onnxpress.testing import assert_equivalent, model

SPACE = {1: "L", 2: "H,W", 3: "D,H,W"}
STRIDED = "strides=[2,1], pads=[1,2,0,1]"


def candidate(made: ir.Model) -> ir.Node:
    """The first node that can be split."""
    return next(node for node in made.graph.all_nodes() if node.op_type in OPERATORS)


def whole(layer: Layer, form: Form, first: tuple[int, ...] = ()) -> Stack:
    """A stack of full rank."""
    outputs, inputs, *kernel = layer.weight_shape
    one, other = (
        np.prod([kernel[at] for at in range(len(kernel)) if (at in first) == taken]) for taken in (True, False)
    )
    ranks = (inputs, outputs) if form == "tucker2" else (int(min(inputs * one, outputs * other)),)
    return Stack(layer=layer, form=form, first_axes=first, ranks=ranks)


def factors(stack: Stack, kernel: np.ndarray[Any, Any]) -> Sequence[np.ndarray[Any, Any]]:
    if stack.form == "tucker2":
        return tucker2(kernel, (stack.ranks[0], stack.ranks[1]))
    return split(kernel, stack.ranks[0], first_axes=stack.first_axes)


def rewritten(
    before: ir.Model, form: Form, first: tuple[int, ...] = (), find: Callable[..., ir.Node] = candidate
) -> ir.Model:
    """The model with one layer split at full rank, named and checked as after a pass."""
    after = before.clone()
    node = find(after)
    stack = whole(layer_of(node), form, first)
    rewrite(node, stack, factors(stack, kernel_of(node)), names=Names(after))
    settle(after, before)
    return after


def convolution(*kernel: int, attributes: str = "", bias: bool = True) -> ir.Model:
    size = ",".join("NCDHW"[-len(kernel) :])
    weights = {"w": numbers(6, 4, *kernel), **({"b": numbers(6, seed=1)} if bias else {})}
    operands = "x, w, b" if bias else "x, w"
    dimensions = ",".join(f"O{at}" for at in range(len(kernel)))
    body = f"c = Conv{attributes and f'<{attributes}>'}({operands}) y = Relu(c)"
    return graph(body, x=f"float[N,4,{size}] x", y=f"float[N,6,{dimensions}] y", **weights)


def same(before: ir.Model, after: ir.Model, **feeds: np.ndarray[Any, Any]) -> None:
    assert_equivalent(before, after, feeds, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form, first", [("spatial", (0,)), ("spatial", (1,)), ("channel", (0, 1)), ("tucker2", ())])
@pytest.mark.parametrize(
    "attributes",
    [
        "",
        STRIDED,
        'auto_pad="SAME_UPPER", strides=[1,2]',
        'auto_pad="SAME_LOWER"',
        'auto_pad="VALID"',
        "dilations=[2,1]",
    ],
)
def test_a_convolution_at_full_rank_is_what_it_was(form: Form, first: tuple[int, ...], attributes: str) -> None:
    before = convolution(3, 5, attributes=attributes)
    same(before, rewritten(before, form, first), x=numbers(2, 4, 9, 10))


@given(data=st.data(), axes=st.integers(1, 3), form=st.sampled_from(["spatial", "channel", "tucker2"]))
@FEW
def test_any_geometry(data: st.DataObject, axes: int, form: Form) -> None:
    def each(low: int, high: int, count: int = axes) -> list[int]:
        return data.draw(st.lists(st.integers(low, high), min_size=count, max_size=count))

    kernel, strides, pads, dilations = each(1, 3), each(1, 3), each(0, 2, 2 * axes), each(1, 2)
    before = convolution(
        *kernel, attributes=f"strides={strides}, pads={pads}, dilations={dilations}", bias=data.draw(st.booleans())
    )
    every = tuple(range(axes))
    some = tuple(data.draw(st.sets(st.sampled_from(every), min_size=1, max_size=max(axes - 1, 1))))
    if form == "spatial" and axes == 1:
        form = "channel"
    if np.prod(kernel) == 1 and form != "tucker2":
        form = "low_rank"
    first = {"spatial": tuple(sorted(some)), "tucker2": ()}.get(form, every)
    same(before, rewritten(before, form, first), x=numbers(2, 4, *each(6, 9)))


@pytest.mark.parametrize("attributes", ["", "transA=1", "transB=1", "transA=1, transB=1, alpha=0.5, beta=2.0"])
def test_a_gemm_at_full_rank_is_what_it_was(attributes: str) -> None:
    weight = numbers(6, 5) if "transB" in attributes else numbers(5, 6)
    rows, x = ("5,N", numbers(5, 3)) if "transA" in attributes else ("N,5", numbers(3, 5))
    before = graph(
        f"y = Gemm{attributes and f'<{attributes}>'}(x, w, b)",
        x=f"float[{rows}] x",
        y="float[N,6] y",
        w=weight,
        b=numbers(6),
    )
    after = rewritten(before, "low_rank")
    assert [tuple(node.inputs[1].shape or ()) for node in after.graph] == (  # type: ignore[union-attr]
        [(5, 5), (6, 5)] if "transB" in attributes else [(5, 5), (5, 6)]
    )
    same(before, after, x=x)


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5)])
def test_a_matmul_at_full_rank_is_what_it_was(shape: tuple[int, ...]) -> None:
    outputs = ",".join(map(str, (*shape[:-1], 6)))
    before = graph(
        "y = MatMul(x, w)", x=f"float[{','.join(map(str, shape))}] x", y=f"float[{outputs}] y", w=numbers(5, 6)
    )
    after = rewritten(before, "low_rank")
    assert [list(node.outputs[0].shape or ()) for node in after.graph] == [[*shape[:-1], 5], [*shape[:-1], 6]]
    same(before, after, x=numbers(*shape))


def test_inside_a_branch_and_with_a_weight_of_the_graph_around() -> None:
    before = model(
        "agraph (float[N,4,H,W] x, bool c, float[6,4,3,3] w) => (float[N,6,P,Q] y) {"
        "  y = If (c) <"
        "    then_branch = one () => (float[N,6,P,Q] t) { [inner] t = Conv(x, w) },"
        "    else_branch = two () => (float[N,6,P,Q] e) { z = Conv(x, w) e = Neg(z) }>"
        "}",
        w=numbers(6, 4, 3, 3),
    )
    after = rewritten(before, "spatial", (0,))
    branches = [attribute.as_graph() for attribute in next(iter(after.graph)).attributes.values()]
    assert [node.name for node in branches[0]] == ["inner/decom_first", "inner/decom_last"]
    assert [node.op_type for node in branches[1]] == ["Conv", "Neg"]
    assert list(branches[0].initializers) == ["inner/decom_first/weight", "inner/decom_last/weight"]
    assert branches[0].outputs[0].name == "t" and list(after.graph.initializers) == ["w"]
    for taken in (True, False):
        same(before, after, x=numbers(2, 4, 6, 6), c=np.array(taken))


def test_the_layer_lives_on_as_the_last_part() -> None:
    before = convolution(3, 5, attributes=STRIDED)
    candidate(before).outputs[0].meta["range"] = "kept"
    candidate(before).metadata_props["where"] = "stem"
    after = before.clone()
    node = candidate(after)
    output, bias = node.outputs[0], node.inputs[2]
    stack = whole(layer_of(node), "spatial", (0,))
    rewrite(node, stack, factors(stack, kernel_of(node)), names=Names(after))
    first, last = node.predecessors()[0], node
    assert last.outputs[0] is output and output.name == "c" and output.meta["range"] == "kept"
    assert last.inputs[2] is bias and len(first.inputs) == 2
    assert [first.name, first.outputs[0].name, last.name] == ["c/decom_first", "c/decom_first", "c/decom_last"]
    assert dict(first.metadata_props) == dict(last.metadata_props) == {"where": "stem"}
    assert {name: list(own.value) for name, own in first.attributes.items()} == {
        "kernel_shape": [3, 1],
        "strides": [2, 1],
        "pads": [1, 0, 0, 0],
        "dilations": [1, 1],
    }
    assert list(after.graph.initializers) == ["b", "c/decom_first/weight", "c/decom_last/weight"]
    assert output.shape is not None
    assert list(first.outputs[0].shape or ()) == ["N", 12, output.shape[2], "W"], "known without inference"


def test_one_by_one_with_a_stride() -> None:
    before = convolution(1, 1, attributes="strides=[2,2]")
    after = rewritten(before, "low_rank", (0, 1))
    assert [node.attributes.get_ints("strides") for node in after.graph if node.op_type == "Conv"] == [(2, 2), (1, 1)]
    same(before, after, x=numbers(2, 4, 9, 10))


def test_half_precision_stays() -> None:
    before = graph("y = Conv(x, w)", x="float16[N,4,H,W] x", y="float16[N,6,P,Q] y", w=numbers(6, 4, 3, 3).astype("f2"))
    after = rewritten(before, "spatial", (0,))
    assert {value.dtype for value in after.graph.initializers.values()} == {ir.DataType.FLOAT16}


def test_a_weight_that_others_use_stays() -> None:
    body = "z = Conv<pads=[1,1,1,1]>(x, w) y = Conv<pads=[1,1,1,1]>(z, w)"
    before = graph(body, y="float[N,4,8,8] y", w=numbers(4, 4, 3, 3))
    after = rewritten(before, "spatial", (0,))
    assert list(after.graph.initializers) == ["w", "z/decom_first/weight", "z/decom_last/weight"]
    same(before, after, x=numbers(2, 4, 8, 8))


def test_a_weight_that_is_a_node_goes_with_its_node() -> None:
    before = graph("y = MatMul(x, w)", x="float[N,2] x", y="float[N,2] y", w=numbers(2, 2))
    constant = ir.node("Constant", [], {"value": ir.tensor(numbers(2, 2))}, name="k")
    before.graph.insert_before(candidate(before), constant)
    candidate(before).replace_input_with(1, constant.outputs[0])
    constant.outputs[0].name = "k"
    after = rewritten(before, "low_rank")
    assert [node.op_type for node in after.graph] == ["MatMul", "MatMul"]
    same(before, after, x=numbers(3, 2))


@pytest.mark.parametrize("attributes, bias", [("transB=1", None), ("transB=1, beta=2.0", numbers(6)), ("", numbers(1))])
def test_a_new_bias_takes_the_place_of_the_old(attributes: str, bias: np.ndarray[Any, Any] | None) -> None:
    weight = numbers(6, 5) if "transB" in attributes else numbers(5, 6)
    made = {"w": weight} if bias is None else {"w": weight, "b": bias}
    before = graph(
        f"y = Gemm{attributes and f'<{attributes}>'}({', '.join(['x', *made])})",
        x="float[N,5] x",
        y="float[N,6] y",
        **made,
    )
    after = before.clone()
    node = candidate(after)
    stack = Stack(layer=layer_of(node), form="low_rank", ranks=(5,), new_bias=True)
    old = bias_of(node)
    rewrite(
        node, stack, factors(stack, kernel_of(node)), names=Names(after), bias=np.zeros(6, "f4") if old is None else old
    )
    settle(after, before)
    assert list(after.graph.initializers) == ["y/decom_first/weight", "y/decom_last/weight", "y/decom_last/bias"]
    same(before, after, x=numbers(3, 5))


@pytest.mark.parametrize(
    "body, sentence",
    [
        ("y = Relu(x)", "Relu 'y' is no Conv, Gemm or MatMul"),
        ("y = Conv<group=2>(x, half)", "Conv 'y' has groups, which no stack can have"),
        ("k = Neg(w) y = Conv(x, k)", "Conv 'y' has a weight that is no float constant"),
        ("y = MatMul(x, w)", "MatMul 'y' multiplies by 4 dimensions, not by a matrix"),
    ],
)
def test_what_cannot_be_split(body: str, sentence: str) -> None:
    made = graph(body, y="y", w=numbers(4, 4, 8, 8), half=numbers(4, 2, 1, 1))
    with pytest.raises(UnsupportedModel) as caught:
        layer_of(next(node for node in made.graph if node.name == "y"))
    assert str(caught.value) == sentence


def test_a_weight_that_the_caller_can_override_is_none() -> None:
    made = graph("y = MatMul(x, w)", x="float[N,2] x", y="float[N,2] y", w=numbers(2, 2))
    made.graph.inputs.append(made.graph.initializers["w"])
    with pytest.raises(UnsupportedModel, match=r"^MatMul 'y' has a weight that is no float constant$"):
        layer_of(candidate(made))


def test_a_bias_that_is_computed() -> None:
    made = graph("b = Neg(a) y = Conv(x, w, b)", y="y", w=numbers(4, 4, 1, 1), a=numbers(4))
    with pytest.raises(UnsupportedModel, match=r"^Conv 'y' adds something that is not one constant for each output$"):
        bias_of(candidate(made))


@pytest.mark.parametrize("text", ["value_floats=[1.0, 2.0]", "value = float[2] {1, 2}"])
def test_a_constant_node_is_a_constant(text: str) -> None:
    node = candidate(graph(f"b = Constant<{text}>() y = Conv(x, w, b)", y="y", w=numbers(2, 4, 1, 1)))
    assert bias_of(node) == pytest.approx([1.0, 2.0])


def test_nothing_is_changed_by_a_stack_that_does_not_fit() -> None:
    before = convolution(3, 5)
    node = candidate(before)
    stack = whole(layer_of(node), "spatial", (0,))
    first, last = factors(stack, kernel_of(node))
    with pytest.raises(UnsupportedModel) as caught:
        rewrite(node, stack, [first[:-1], last], names=Names(before))
    shapes = "[12, 4, 3, 1], not [11, 4, 3, 1]"
    assert str(caught.value) == f"'c/decom_first' has a weight of shape {shapes} (outputs, inputs, kernel)"
    before.graph.outputs[0].name = "c/decom_last"
    with pytest.raises(UnsupportedModel) as caught:
        rewrite(node, stack, [first, last], names=Names(before))
    assert str(caught.value) == "the model already has something called 'c/decom_last'; rename it"
    assert [own.name for own in before.graph] == ["c", "y"]


def test_the_layer_knows_its_bias_and_how_its_weight_is_stored() -> None:
    made = graph("h = Gemm(x, w, b) y = Gemm<transB=1>(h, w)", x="float[N,2] x", y="y", w=numbers(2, 2), b=numbers(2))
    first, second = (layer_of(node) for node in made.graph)
    assert (first.bias, first.inputs_first, second.bias, second.inputs_first) == ("b", True, "", False)


def test_a_name_that_the_new_bias_needs() -> None:
    made = graph("y = Gemm(x, w, b)", x="float[N,2] x", y="float[N,2] y", w=numbers(2, 2), b=numbers(2))
    made.graph.initializers["b"].name = "y/decom_last/bias"
    node = candidate(made)
    stack = Stack(layer=layer_of(node), form="low_rank", ranks=(2,), new_bias=True)
    with pytest.raises(UnsupportedModel) as caught:
        rewrite(node, stack, [numbers(2, 2)] * 2, names=Names(made), bias=numbers(2))
    assert str(caught.value) == "the model already has something called 'y/decom_last/bias'; rename it"


def test_a_matmul_adds_no_bias() -> None:
    made = graph("y = MatMul(x, w)", x="float[N,2] x", y="float[N,2] y", w=numbers(2, 2))
    stack = Stack(layer=layer_of(candidate(made)), form="low_rank", ranks=(2,), new_bias=True)
    with pytest.raises(UnsupportedModel, match=r"^MatMul 'y' adds no bias; correct what is added behind it$"):
        rewrite(candidate(made), stack, [numbers(2, 2)] * 2, names=Names(made), bias=numbers(2))
