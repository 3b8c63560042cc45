"""The orders that are chosen cost least: against trying all of them, and in cases where local rules fail."""

from __future__ import annotations

from itertools import product

import onnx_ir as ir
import pytest

from calibrated import graph, numbers
from onnxpress_plugins.layout.arrangement import Order, essence
from onnxpress_plugins.layout.expansion import settle
from onnxpress_plugins.layout.network import Network, Orders, volume

TO_LAST = "Transpose<perm = [0, 2, 3, 1]>"
TO_FIRST = "Transpose<perm = [0, 3, 1, 2]>"
CONSTANTS = {"w": numbers(4, 4, 1, 1), "m": numbers(4, 4), "k": numbers(4)}


def cost(network: Network, orders: Orders) -> int:
    """What everything that has to be written costs, by the words of the docstring."""
    total = 0
    for value, uses in network.uses.items():
        stored = network.stored(value, orders)
        demanded = {network.demanded(use, orders) for use in uses} - {stored}
        moved = {essence(arrangement) for arrangement in demanded} - {essence(stored)}
        total += (len(demanded) + volume(value) * len(moved)) * (value.const_value is None)
    return total


def best(network: Network) -> int:
    """The least cost with every node in its own order or one of the two that TensorFlow and ONNX know."""
    free = [
        node for node in network.graph if network.form(node, (0, 3, 1, 2)) is not None and node.op_type != "Transpose"
    ]
    choices: list[Order | None] = [None, (0, 3, 1, 2), (0, 2, 3, 1)]
    return min(
        cost(network, {node: order for node, order in zip(free, chosen, strict=True) if order is not None})
        for chosen in product(choices, repeat=len(free))
    )


CASES = {
    "inverse pair": f"a = {TO_LAST}(x) b = Relu(a) y = {TO_FIRST}(b)",
    "a branch and its way round": f"""a = Conv(x, w) b = {TO_LAST}(a) c = Sigmoid(b) d = Mul(b, c) e = {TO_FIRST}(d)
        f = Conv(e, w) g = {TO_LAST}(f) h = Add(g, b) i = {TO_FIRST}(h) y = Conv(i, w)""",
    "no single node gains": f"""a = Conv(x, w) b = {TO_LAST}(a) c = {TO_LAST}(x) d = Add(b, c) e = Relu(d) f = Mul(e, k)
        g = {TO_FIRST}(f) h = Conv(g, w) y = Add(g, h)""",
    "half of it gains": f"""a = Conv(x, w) b = {TO_LAST}(a) c = LayerNormalization(b, k) d = Relu(c) e = Mul(d, k)
        f = {TO_FIRST}(e) g = Conv(f, w) h = MatMul(d, m) i = {TO_FIRST}(h) y = Add(g, i)""",
    "two who read an input": f"""b = Relu(x) c = Sigmoid(x) d = {TO_LAST}(b) e = {TO_LAST}(c) f = MatMul(d, m)
        g = MatMul(e, m) y = Add(f, g)""",
    "a sum and not its parts": f"""a = Conv(x, w) b = Conv(x, w) c = {TO_LAST}(a) d = {TO_LAST}(b) e = Add(c, d)
        f = Tanh(e) y = MatMul(f, m)""",
}


@pytest.mark.parametrize("case", CASES)
def test_no_choice_is_better(case: str) -> None:
    network = Network(graph(CASES[case], **CONSTANTS).graph)
    settle(network)
    assert cost(network, network.orders) == best(network)


def test_an_open_size_counts_as_more_than_one() -> None:
    value = ir.Value(name="v", type=ir.TensorType(ir.DataType.FLOAT16), shape=ir.Shape(["N", 3, 5]))
    assert volume(value) == 2 * 2 * 3 * 5
