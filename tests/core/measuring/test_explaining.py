from __future__ import annotations

from dataclasses import replace

from onnxpress.measuring.explaining import explain
from onnxpress.records import Benchmark, FloatNode, Kernels, Latency

NONE = {"integer": 0, "float": 0, "convert": 0, "other": 0}
FLOAT = Kernels(
    counts={**NONE, "float": 20},
    milliseconds={**NONE, "float": 10.0},
    macs={**NONE, "float": 1000},
    product_ms={"float": 9.0},
)
INTEGER = Kernels(
    counts={**NONE, "integer": 20, "convert": 2},
    milliseconds={**NONE, "integer": 3.0, "convert": 0.1},
    macs={**NONE, "integer": 1000},
    product_ms={"integer": 3.0},
)


def bench(b: Kernels, ms: float, a_ms: float = 10.0) -> Benchmark:
    a_latency, b_latency = (Latency(median_ms=value, minimum_ms=value) for value in (a_ms, ms))
    ratio = a_ms / ms
    return Benchmark(threads=1, batch=1, runs=10, a=a_latency, b=b_latency, ratio=ratio, kernels_a=FLOAT, kernels_b=b)


def test_nothing_to_explain() -> None:
    assert explain(bench(INTEGER, 3.1)) == ()
    assert explain(replace(bench(INTEGER, 3.1), b=None, ratio=None, kernels_b=None)) == ()


def test_float_nodes_are_named_with_their_share_and_reason() -> None:
    nodes = tuple(FloatNode(node=f"n{i}", op_type="Conv", reason="no Q", milliseconds=2.0, macs=200) for i in range(2))
    b = replace(
        INTEGER,
        counts={**NONE, "integer": 18, "float": 2},
        milliseconds={**NONE, "integer": 4.0, "float": 4.0},
        macs={**NONE, "integer": 600, "float": 400},
        product_ms={"integer": 4.0, "float": 4.0},
        float_nodes=nodes,
    )
    floats, products = explain(bench(b, 8.0))
    assert floats == (
        "2 nodes stay float: they take 50% of B's time and hold 40% of its multiply-accumulates. "
        "Most of it: 2 Conv (no Q)."
    )
    assert products == (
        "Convolutions and matrix products take 9 ms in A and 8 ms in B (1.12 times as fast), the rest 1 and 0 ms."
    )


def test_what_could_still_be_gained_is_told_even_when_it_is_fast() -> None:
    b = replace(
        INTEGER, milliseconds={**NONE, "integer": 2.0, "convert": 2.0}, counts={**NONE, "integer": 9, "convert": 9}
    )
    assert explain(bench(b, 4.0)) == (
        "9 conversions between float and int8, or between memory layouts, take 50% of B's time.",
    )


def test_slower_small_and_depthwise() -> None:
    b = replace(INTEGER, milliseconds={**NONE, "integer": 0.04}, product_ms={"integer": 0.04}, depthwise_ms=0.02)
    _, depthwise, tiny = explain(bench(b, 0.05, a_ms=0.04))
    assert depthwise.startswith("50% of that in B is depthwise convolutions: 0 ms in A and 0.02 ms in B; they move")
    assert tiny.startswith("B is so small (0.05 ms, 22 nodes, 2.3 us each) that the fixed cost of running a node")


def test_float_with_as_much_to_do() -> None:
    assert explain(bench(FLOAT, 10.0)) == (
        "B is not quantised: like A it runs in float, and it does as many multiply-accumulates as A.",
    )


def test_float_with_less_to_do() -> None:
    b = replace(
        FLOAT,
        counts={**NONE, "float": 24, "convert": 4},
        milliseconds={**NONE, "float": 7.0, "convert": 1.5},
        macs={**NONE, "float": 500},
        product_ms={"float": 6.0},
        depthwise_ms=5.0,
    )
    assert explain(bench(b, 8.5)) == (
        "B is not quantised: like A it runs in float, and it does 50% of A's multiply-accumulates.",
        "4 conversions between types or memory layouts take 18% of B's time.",
        "Convolutions and matrix products take 9 ms in A and 6 ms in B (1.50 times as fast), the rest 1 and 2.5 ms.",
    )
    *_, tiny = explain(bench(b, 0.1, a_ms=0.11))
    assert "the fixed cost of running a node weighs heavily" in tiny and "int8" not in tiny


def test_float_that_is_fast_enough_needs_no_reason() -> None:
    assert explain(bench(replace(FLOAT, macs={**NONE, "float": 300}), 5.0)) == ()


def test_float_in_place_of_integers() -> None:
    made = replace(bench(FLOAT, 10.0), kernels_a=INTEGER)
    assert explain(made)[0] == "B is not quantised: onnxruntime runs nodes of A in integer, and none of B."


def test_quantised_without_an_integer_node() -> None:
    sentences = explain(bench(replace(FLOAT, operators={"Conv": 10, "DequantizeLinear": 10}), 10.0))
    assert sentences[0] == (
        "onnxruntime runs no node of B in integer, though it is quantised: nothing in it fits the fusion rules."
    )


def test_nothing_to_multiply() -> None:
    idle = replace(FLOAT, macs=NONE, product_ms={})
    assert explain(replace(bench(idle, 10.0), kernels_a=idle)) == ()
