from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import graph, numbers
from onnxpress.decomposition import apply, info
from onnxpress.decomposition.forms import split, tucker2
from onnxpress.decomposition.layer_stacks import OPERATORS, Form, Layer, Stack
from onnxpress.decomposition.rewriting import bias_of, kernel_of, layer_of, rewrite
from onnxpress.errors import InvalidData, UnsupportedModel
from onnxpress.naming import Names
from onnxpress.run import settle
from onnxpress.testing import assert_equivalent, model

Arrays = dict[str, np.ndarray[Any, Any]]


def network(seed: int = 0) -> ir.Model:
    """Two convolutions and a matrix."""
    return graph(
        "c = Conv<pads=[1,2,1,2], strides=[2,1]>(x, w, b) r = Relu(c) d = Conv<pads=[1,1,1,1]>(r, v)"
        "p = GlobalAveragePool(d) f = Flatten(p) y = Gemm(f, m, n)",
        y="float[N,5] y",
        w=numbers(8, 4, 3, 5, seed=seed),
        b=numbers(8, seed=seed + 1),
        v=numbers(6, 8, 3, 3, seed=seed + 2),
        m=numbers(6, 5, seed=seed + 3),
        n=numbers(5, seed=seed + 4),
    )


SPLITS: list[tuple[str, Form, tuple[int, ...], tuple[int, ...], bool]] = [
    ("c", "spatial", (1,), (6,), False),
    ("d", "tucker2", (), (4, 3), True),
    ("y", "low_rank", (), (3,), True),
]


def split_up(before: ir.Model, splits: Any = SPLITS) -> tuple[ir.Model, list[Stack]]:
    """The model as a search would leave it, and what the search would write down."""
    after, stacks = before.clone(), []
    names = Names(after)
    for name, form, first, ranks, new_bias in splits:
        node = next(node for node in after.graph.all_nodes() if node.name == name)
        stack = Stack(layer=layer_of(node), form=form, first_axes=first, ranks=ranks, new_bias=new_bias)
        kernel, old = kernel_of(node), bias_of(node)
        weights = (
            tucker2(kernel, (ranks[0], ranks[-1])) if form == "tucker2" else split(kernel, ranks[0], first_axes=first)
        )
        bias = (np.zeros(len(kernel), "f4") if old is None else old) + np.float32(0.5) if new_bias else None
        rewrite(node, stack, weights, names=names, bias=bias)
        stacks.append(stack)
    settle(after, before)
    return after, stacks


def weights_of(made: ir.Model) -> Arrays:
    values = [value for own in made.graphs() for value in own.initializers.values()]
    return {str(value.name): value.const_value.numpy() for value in values if value.const_value is not None}


def same(one: ir.Model, other: ir.Model) -> None:
    assert_equivalent(one, other, {"x": numbers(3, 4, 8, 8, seed=9)}, rtol=1e-5, atol=1e-5)


def test_structure_and_weights_give_the_model_again(tmp_path: Path) -> None:
    before = network()
    wanted, stacks = split_up(before)
    info.save(stacks, tmp_path / "m.decomposition.json")
    made = apply(tmp_path / "m.decomposition.json", network(seed=20), weights=weights_of(wanted))
    settle(made, before)
    assert [node.name for node in made.graph] == [node.name for node in wanted.graph]
    same(wanted, made)


def test_the_model_that_was_given_is_not_changed() -> None:
    before = network()
    apply(split_up(before)[1], before)
    assert [node.name for node in before.graph] == ["c", "r", "d", "p", "f", "y"]


def test_without_weights_each_layer_is_factored_and_keeps_its_bias() -> None:
    own = network(seed=20)
    splits = [(name, form, first, ranks, False) for name, form, first, ranks, _ in SPLITS]
    expected, _ = split_up(own, splits)
    made = apply(split_up(network())[1], own)
    same(expected, made)
    assert np.array_equal(weights_of(made)["y/decom_last/bias"], weights_of(own)["n"])
    assert not weights_of(made)["d/decom_last/bias"].any(), "it had none"


def test_some_stacks_have_weights_and_others_are_factored() -> None:
    before = network()
    wanted, stacks = split_up(before)
    given = {name: array for name, array in weights_of(wanted).items() if name.startswith("c/") or name == "m"}
    made = weights_of(apply(stacks, before, weights={**given, "c/decom_last/weight": given["c/decom_last/weight"] * 2}))
    assert np.array_equal(made["c/decom_last/weight"], 2 * given["c/decom_last/weight"])
    assert np.allclose(made["d/decom_core/weight"], weights_of(wanted)["d/decom_core/weight"])


@pytest.mark.parametrize("form, first, ranks", [("spatial", (0,), (6,)), ("channel", (0, 1), (4,))])
def test_inside_a_branch(form: Form, first: tuple[int, ...], ranks: tuple[int, ...]) -> None:
    before = model(
        "agraph (float[N,4,H,W] x, bool c, float[6,4,3,3] w) => (float[N,6,P,Q] y) {"
        "  y = If (c) <"
        "    then_branch = one () => (float[N,6,P,Q] t) { [inner] t = Conv(x, w) },"
        "    else_branch = two () => (float[N,6,P,Q] e) { z = Conv(x, w) e = Neg(z) }>"
        "}",
        w=numbers(6, 4, 3, 3),
    )
    wanted, stacks = split_up(before, [("inner", form, first, ranks, False)])
    made = apply(stacks, before, weights={**weights_of(wanted), "w": 3 * weights_of(before)["w"]})
    settle(made, before)
    for taken, times in ((True, 1), (False, 3)):
        feeds = {"x": numbers(1, 4, 5, 5), "c": np.array(taken)}
        scaled = wanted.clone()
        scaled.graph.initializers["w"].const_value = ir.tensor(times * weights_of(before)["w"], name="w")
        assert_equivalent(scaled, made, feeds, rtol=1e-5, atol=1e-5)


def amct(name: str, **own: Any) -> Stack:
    """As `amct_info` reads a layer: it knows a module's name, and no padding."""
    wanted = {"weight_shape": (8, 4, 3, 5), "strides": (2, 1), "dilations": (1, 1), **own}
    layer = Layer(name=name, operator="Conv", weight=f"{name}.weight", pads=None, **wanted)
    return Stack(layer=layer, form="spatial", first_axes=(0,), ranks=(6,))


def exported() -> ir.Model:
    """A network whose nodes are numbered and whose weights keep the names of modules, as PyTorch exports it."""
    made = network()
    for at, node in enumerate(made.graph):
        node.name = f"node_{node.op_type}_{at}"
    made.graph.initializers["w"].name = "stem.conv.weight"
    return made


def test_a_layer_is_found_by_the_name_of_its_weight() -> None:
    made = apply([amct("stem.conv")], exported())
    assert [node.name for node in made.graph][:3] == ["stem.conv/decom_first", "stem.conv/decom_last", "node_Relu_1"]
    first, last = (node.attributes.get_ints("pads") for node in list(made.graph)[:2])
    assert (first, last) == ((1, 0, 1, 0), (0, 2, 0, 2)), "those of the model"


def stack_of(**own: Any) -> Stack:
    """How the first layer of `network` was split, were it as `own` says."""
    usual = {"weight_shape": (8, 4, 3, 5), "strides": (2, 1), "pads": (1, 2, 1, 2), "dilations": (1, 1), "bias": "b"}
    kind = own.pop("operator", "Conv")
    layer = Layer(name="c", operator=kind, weight="w", **(usual | own))
    size = len(layer.kernel)
    return Stack(layer=layer, form="channel" if size else "low_rank", first_axes=tuple(range(size)), ranks=(4,))


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        (
            {"weight_shape": (8, 6, 3, 5)},
            "layer 'c' has weight_shape [8, 4, 3, 5] in the model and [8, 6, 3, 5] in the info file",
        ),
        ({"strides": (1, 1)}, "layer 'c' has strides [2, 1] in the model and [1, 1] in the info file"),
        ({"dilations": (2, 1)}, "layer 'c' has dilations [1, 1] in the model and [2, 1] in the info file"),
        ({"pads": (0, 0, 0, 0)}, "layer 'c' has pads [1, 2, 1, 2] in the model and [0, 0, 0, 0] in the info file"),
        ({"auto_pad": "VALID"}, "layer 'c' has auto_pad NOTSET in the model and VALID in the info file"),
        (
            {"operator": "MatMul", "weight_shape": (8, 4), "strides": (), "pads": (), "dilations": ()},
            "layer 'c' has operator Conv in the model and MatMul in the info file",
        ),
        (
            {"bias": ""},
            "layer 'c' adds 'b' in the model and nothing in the info file; "
            "was BatchNormalization folded in one of them alone?",
        ),
    ],
)
def test_a_layer_that_is_not_as_it_was(own: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidData) as caught:
        apply([stack_of(**own)], network())
    assert str(caught.value) == sentence


def refused(stacks: list[Stack], whole: ir.Model, weights: Arrays | None = None) -> str:
    with pytest.raises(InvalidData) as caught:
        apply(stacks, whole, weights=weights)
    return str(caught.value)


def test_a_layer_that_is_not_there() -> None:
    assert refused([amct("stem.conv")], network()) == (
        "the model has no layer 'stem.conv', and 0 layers with a weight 'stem.conv.weight'"
    )


def test_a_layer_that_is_split_already() -> None:
    after, stacks = split_up(network())
    assert refused(stacks, after) == "the model has no layer 'c'; it is split already"


def test_a_weight_that_two_layers_share_names_neither() -> None:
    shared = graph("z = Conv<pads=[1,1,1,1]>(x, w) y = Conv<pads=[1,1,1,1]>(z, w)", y="y", w=numbers(4, 4, 3, 3))
    stack = amct("w", weight_shape=(4, 4, 3, 3), strides=(1, 1))
    shared.graph.initializers["w"].name = "w.weight"
    assert refused([stack], shared) == "the model has no layer 'w', and 2 layers with a weight 'w.weight'"


def test_two_layers_of_the_file_that_are_one_in_the_model() -> None:
    whole = exported()
    by_output = Stack(layer=layer_of(next(iter(whole.graph))), form="spatial", first_axes=(0,), ranks=(6,))
    assert refused([by_output, amct("stem.conv")], whole) == (
        "layers 'node_Conv_0' and 'stem.conv' are one in the model, 'node_Conv_0'"
    )


def test_a_rank_that_the_layer_does_not_have() -> None:
    stack = Stack(layer=stack_of().layer, form="channel", first_axes=(0, 1), ranks=(9,))
    assert refused([stack], network()) == (
        "layer 'c': a weight of shape [8, 4, 3, 5] has ranks 1 to 8 in this form, not 9"
    )


@pytest.mark.parametrize("missing", ["d/decom_core/weight", "d/decom_last/bias"])
def test_half_the_weights_of_a_stack(missing: str) -> None:
    wanted, stacks = split_up(network())
    given = weights_of(wanted)
    del given[missing]
    sentence = f"layer 'd': some of its weights are given, and none called {missing!r}"
    assert refused(stacks, network(), given) == sentence


def test_weights_that_do_not_fit() -> None:
    wanted, stacks = split_up(network())
    given = weights_of(wanted)
    assert refused(stacks, network(), {**given, "d/decom_cor/weight": numbers(1)}) == (
        "the model with its layers split has no weight 'd/decom_cor/weight'; did you mean 'd/decom_core/weight'?"
    )
    assert refused(stacks, network(), {**given, "c/decom_first/weight": numbers(6, 4, 5, 1)}) == (
        "the weight 'c/decom_first/weight' is FLOAT of shape [6, 4, 5, 1], not FLOAT of shape [6, 4, 1, 5]"
    )
    assert refused(stacks, network(), {**given, "b": numbers(8).astype("f8")}) == (
        "the weight 'b' is DOUBLE of shape [8], not FLOAT of shape [8]"
    )


def test_a_weight_that_is_computed() -> None:
    whole = graph("k = Neg(w) c = Conv(x, k) y = Relu(c)", y="y", w=numbers(8, 4, 3, 5))
    with pytest.raises(UnsupportedModel, match=r"^Conv 'c' has a weight that is no float constant$"):
        apply([amct("c")], whole)


def test_the_operators_are_those_of_the_layers() -> None:
    made = apply(split_up(network())[1], network())
    assert [node.op_type for node in made.graph if node.op_type in OPERATORS] == ["Conv"] * 5 + ["Gemm"] * 2
