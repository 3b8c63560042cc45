"""decompose: changes it, leaves it alone, declines with the reason, works inside a subgraph, better with data."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import feeds, graph, numbers, ops, quantised
from low_rank_networks import Images, kernel, network
from onnxpress.errors import InvalidModel, InvalidOption
from onnxpress.records import Notes
from onnxpress.runtime import Session
from onnxpress.testing import apply, assert_equivalent
from onnxpress_plugins.decomposition.decomposing import DECOMPOSE

LAYERS = {"a", "b", "c"}


def decomposed(model: ir.Model, data: Any = None, **options: Any) -> tuple[ir.Model, Notes]:
    return apply(DECOMPOSE, model, data=data, **options)


def reasons(notes: Notes) -> dict[str, str]:
    return {entry.node: entry.reason for entry in notes.declined}


def relative_error(before: ir.Model, after: ir.Model, samples: Images) -> float:
    outputs = [[Session(model, threads=1).run(own)["y"] for own in samples] for model in (before, after)]
    truth, found = (np.concatenate(each) for each in outputs)
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth - truth.mean(axis=0)))


def ending_in_index(made: ir.Model) -> ir.Model:
    """The same network, which gives the place of its largest output alone."""
    indexed = made.clone()
    node = ir.node("ArgMax", [indexed.graph.outputs[0]], {"axis": 1})
    indexed.graph.append(node)
    node.outputs[0].name, node.outputs[0].dtype = "best", ir.DataType.INT64
    indexed.graph.outputs[0] = node.outputs[0]
    return indexed


class TestFivePoints:
    def test_changes_layers_of_low_rank(self) -> None:
        before = network()
        after, notes = decomposed(before)
        assert ops(after)["Conv"] > ops(before)["Conv"]
        assert set(notes.details["layers"]) <= LAYERS
        for own in notes.details["layers"].values():
            assert own["macs"][1] < own["macs"][0] and own["seconds"][1] <= 0.9 * own["seconds"][0]
        assert sum(notes.details["macs"]) > 0 and notes.details["macs"][1] <= 0.5 * notes.details["macs"][0]

    def test_leaves_alone_what_has_nothing_to_gain(self) -> None:
        before = graph("a = Conv(x, w) y = Relu(a)", y="float[N,5,6,6] y", w=numbers(5, 4, 3, 3))
        after, notes = decomposed(before)
        assert ops(after) == ops(before) and not notes.counts
        assert reasons(notes) == {"a": "no stack of smaller layers saves 10% of its time"}

    def test_leaves_alone_a_model_without_layers(self) -> None:
        after, notes = decomposed(graph("y = Relu(x)"))
        assert ops(after) == {"Relu": 1} and not notes.declined and not notes.warnings

    def test_outputs_stay_close(self) -> None:
        before = network()
        after, notes = decomposed(before, Images())
        assert notes.details["layers"]
        assert relative_error(before, after, Images(12)) < 0.05

    def test_inside_subgraphs(self) -> None:
        w, v = kernel(48, 32, 3, 3, rank=12, noise=0), kernel(32, 32, 3, 3, rank=12, noise=0, seed=4)
        before = graph(
            "c = ReduceMax<keepdims = 0>(x) d = Cast<to = 9>(c) y = If(d) <"
            "then_branch = t () => (tr) { ta = Conv(x, w) tr = Relu(ta) },"
            "else_branch = e () => (er) { ea = Conv(x, w2) er = Neg(ea) }>",
            x="float[N,32,16,16] x",
            y="float[N,48,14,14] y",
            w=w,
            w2=np.concatenate([v, v[:16]]),
        )
        after, notes = decomposed(before, Images())
        assert set(notes.details["layers"]) == {"ta", "ea"}
        assert_equivalent(before, after, {"x": numbers(1, 32, 16, 16)}, rtol=0, atol=1e-4)

    def test_inside_a_loop(self) -> None:
        before = graph(
            "y = Loop(n, , x) <body = g (int64 i, bool k, float[N,32,16,16] s) => (ok, o) {"
            "ok = Identity(k) a = Conv<pads = [1, 1, 1, 1]>(s, w) o = Tanh(a) }>",
            x="float[N,32,16,16] x",
            y="float[N,32,16,16] y",
            n=np.array(2, np.int64),
            w=kernel(32, 32, 3, 3, rank=12, noise=0),
        )
        after, notes = decomposed(before, Images())
        assert set(notes.details["layers"]) == {"a"}
        assert_equivalent(before, after, {"x": numbers(1, 32, 16, 16)}, rtol=0, atol=1e-4)


class TestDeclines:
    @pytest.mark.parametrize(
        ("body", "weight", "reason"),
        [
            ("a = Conv<group = 2>(x, w)", numbers(64, 16, 3, 3), "it has 2 groups"),
            ("a = Conv<group = 32>(x, w)", numbers(32, 1, 3, 3), "it is depthwise"),
            ("q = Mul(w, w) a = Conv(x, q)", numbers(8, 32, 3, 3), "its weight is no constant"),
            ("a = Conv(x, w) b = Conv(x, w)", numbers(8, 32, 3, 3), "its weight is used elsewhere, too"),
            ("a = MatMul(x, w)", numbers(32, 16, 8), "it multiplies stacks of matrices"),
        ],
    )
    def test_what_cannot_be_split(self, body: str, weight: Any, reason: str) -> None:
        _, notes = decomposed(graph(f"{body} y = Relu(a)", x="float[N,32,16,16] x", w=weight))
        assert reasons(notes)["a"] == reason

    def test_what_is_quantised_already(self) -> None:
        _, notes = decomposed(quantised(network()))
        assert set(reasons(notes).values()) == {"its weight is quantised already"}

    def test_what_errs_too_much_and_by_how_much(self) -> None:
        _, notes = decomposed(network(noise=5.0), max_error=0.05)
        assert not notes.details["layers"] and not notes.counts
        assert reasons(notes)["a"].endswith("and 5.0% is the most that is allowed")

    def test_layers_that_the_user_leaves_out(self) -> None:
        _, notes = decomposed(network(), exclude_nodes=["a"], exclude_ops=["Gemm"])
        assert (reasons(notes)["a"], reasons(notes)["y"]) == ("excluded by name", "excluded as Gemm")
        _, notes = decomposed(network(), only_nodes=["b"])
        assert set(notes.details["layers"]) == {"b"} and reasons(notes)["a"] == "not among only_nodes"

    def test_numbers_that_are_none(self) -> None:
        bad = numbers(8, 4, 3, 3)
        bad[0, 0, 0, 0] = np.nan
        with pytest.raises(InvalidModel, match="the weight 'w' of Conv 'a' holds NaN or infinity"):
            decomposed(graph("a = Conv(x, w) y = Relu(a)", y="float[N,8,6,6] y", w=bad))


class TestData:
    def test_factors_are_better_for_what_layers_see(self) -> None:
        before, given = network(noise=0.5), {"policy": "ranks", "ranks": ["a: 16", "b: 16"]}
        blind, _ = decomposed(before, **given)
        seeing, _ = decomposed(before, Images(), **given)
        held_out = Images(12)
        assert relative_error(before, seeing, held_out) < 0.6 * relative_error(before, blind, held_out)

    def test_a_network_whose_output_is_an_index_gets_equal_shares(self) -> None:
        before = network(noise=0.1)
        after, notes = decomposed(ending_in_index(before), Images())
        assert notes.warnings == [
            "no output of the model is a float, so that layers get equal shares of the budget; "
            "a model that ends before its ArgMax tells what their errors do"
        ]
        _, alike = decomposed(before, Images(), samples=0)
        assert len(notes.details["layers"]) > 1 and notes.details["layers"] == alike.details["layers"]
        assert ops(after)["ArgMax"] == 1

    def test_biases_make_good_what_is_lost_on_average(self) -> None:
        before = network(noise=0.5)
        after, _ = decomposed(before, Images(), policy="ranks", ranks=["a: 16"])
        probed = [Session(model, outputs=["a"], threads=1) for model in (before, after)]
        means = [np.mean([own.run(sample)["a"].mean(axis=(0, 2, 3)) for sample in Images()], axis=0) for own in probed]
        np.testing.assert_allclose(means[1], means[0], atol=1e-4)

    def test_a_layer_without_bias_gets_one(self) -> None:
        after, notes = decomposed(network(), Images(), policy="ranks", ranks=["c: 8"])
        assert set(notes.details["layers"]) == {"c"}
        (last,) = (node for node in after.graph if node.name == "c/decom_last")
        assert last.inputs[2] is not None and last.inputs[2].name == "c/decom_last/bias"
        assert '"new_bias": true' in notes.files[".decomposition.json"]

    def test_a_matrix_product_keeps_the_mean_without_a_bias(self) -> None:
        weight = kernel(64, 32, rank=30, noise=0.3).T.copy()
        before = graph("y = MatMul(x, w)", x="float[N,40,32] x", y="float[N,40,64] y", w=weight)
        rows = Images(8, name="x", shape=(40,))
        samples = [{"x": np.swapaxes(sample["x"], 1, 2)} for sample in rows]
        after, _ = decomposed(before, samples, policy="ranks", ranks=["y: 16"])
        blind, _ = decomposed(before, policy="ranks", ranks=["y: 16"])
        assert [node.op_type for node in after.graph] == ["MatMul", "MatMul"]
        assert relative_error(before, after, samples) < 0.6 * relative_error(before, blind, samples)

    def test_errors_are_of_the_output(self) -> None:
        before = network(noise=0.3)
        after, notes = decomposed(before, Images(), policy="ranks", ranks=["a: 16"])
        told = notes.details["layers"]["a"]["error"]
        probed = [Session(model, outputs=["a"], threads=1) for model in (before, after)]
        truth, found = (np.concatenate([own.run(sample)["a"] for sample in Images()]) for own in probed)
        off = (found - truth).reshape(len(truth), 48, -1)
        measured = np.sqrt(np.square(off).mean(axis=(0, 2)).sum() / truth.var(axis=(0, 2, 3)).sum())
        assert 0.5 < measured / told < 2
        assert notes.details["errors"] == "outputs"

    def test_sensitivities_move_the_budget(self) -> None:
        before = network(noise=0.5)
        alike, _ = decomposed(before, Images(), samples=0, max_error=1.0)
        weighed, _ = decomposed(before, Images(), samples=4, max_error=1.0)
        assert relative_error(before, weighed, Images(12)) <= relative_error(before, alike, Images(12))

    def test_without_data_a_warning_says_what_is_missing(self) -> None:
        _, notes = decomposed(network())
        assert notes.details["errors"] == "weights"
        assert notes.warnings[-1].startswith("without data errors are those of the weights")
        _, notes = decomposed(network(), Images())
        assert not notes.warnings


class TestOptions:
    @pytest.mark.parametrize("name", ["budget", "ratio", "energy", "min_gain", "max_error"])
    def test_shares(self, name: str) -> None:
        with pytest.raises(InvalidOption, match=f"pass 'decompose': {name} is a share, 0 to 1, not 1.5"):
            decomposed(network(), **{name: 1.5})

    def test_counts(self) -> None:
        with pytest.raises(
            InvalidOption, match="step must be positive, sweeps and samples not negative, not 0, 0 and 4"
        ):
            decomposed(network(), step=0)

    def test_ranks_that_do_not_fit(self) -> None:
        with pytest.raises(InvalidOption, match="ranks: 'a' has ranks up to 96, not 97"):
            decomposed(network(), ranks=["a: 97"], form="spatial")
        with pytest.raises(InvalidOption, match="ranks: no node is called 'aa'; did you mean 'a'"):
            decomposed(network(), ranks=["aa: 9"])


@pytest.mark.parametrize("data", [None, Images()])
def test_the_same_model_twice_gives_the_same_bytes(data: Any) -> None:
    made = [ir.serde.serialize_model(decomposed(network(noise=0.3), data)[0]).SerializeToString() for _ in range(2)]
    assert made[0] == made[1]


def test_sizes_that_only_a_run_knows() -> None:
    before = graph(
        "a = Conv(x, w) y = Relu(a)",
        x="float[N,32,H,W] x",
        y="float[N,48,I,J] y",
        w=kernel(48, 32, 3, 3, rank=12, noise=0),
    )
    after, notes = decomposed(before)
    assert notes.details["layers"]["a"]["macs"][0] == 48 * 32 * 9 * 222**2
    _, seen = decomposed(before, Images())
    assert seen.details["layers"]["a"]["macs"][0] == 48 * 32 * 9 * 14**2
    assert_equivalent(before, after, {"x": numbers(1, 32, 9, 12)}, rtol=0, atol=1e-4)


def test_a_rank_that_nobody_knows() -> None:
    before = graph(
        "s = Reshape(x, h) a = MatMul(s, w) y = Relu(a)",
        x="float[N,64] x, int64[K] h",
        w=kernel(64, 64, rank=8, noise=0).copy(),
    )
    after, notes = decomposed(before, policy="ranks", ranks=["a: 8"])
    assert notes.details["layers"]["a"]["ranks"] == [8]
    assert_equivalent(
        before, after, {**feeds(before), "x": numbers(2, 64), "h": np.array([2, 1, 64])}, rtol=0, atol=1e-4
    )
