"""Who is asked to take which order."""

from __future__ import annotations

import numpy as np

from calibrated import graph, numbers
from onnxpress_plugins.layout.network import Network
from onnxpress_plugins.layout.proposals import proposals

TO_LAST = "Transpose<perm = [0, 2, 3, 1]>"
TO_FIRST = "Transpose<perm = [0, 3, 1, 2]>"


def asked(body: str, **constants: np.ndarray) -> list[dict[str, tuple[int, ...]]]:
    """The proposals for the first mismatch, by name of the node."""
    network = Network(graph(body, **constants).graph)
    found = proposals(network, next(iter(network.mismatches())))
    return [{str(node.name): order for node, order in proposal.items()} for proposal in found]


def test_as_far_as_operators_commute_and_are_not_in_that_order() -> None:
    body = f"""a = Conv(x, w) b = {TO_LAST}(a) c = Relu(b) d = Mul(c, b) e = {TO_FIRST}(d) f = Conv(e, w) g = Tanh(f)
        y = Sigmoid(g)"""
    (proposal,) = asked(body, w=numbers(4, 4, 1, 1))
    assert proposal == {"c": (0, 3, 1, 2), "d": (0, 3, 1, 2)}


def test_from_either_side() -> None:
    reader, maker = asked(f"a = Relu(x) b = {TO_LAST}(a) y = Sigmoid(b)")
    assert reader == {"y": (0, 3, 1, 2)} and maker == {"a": (0, 2, 3, 1)}


def test_others_who_read_the_same_tensor_are_asked_too() -> None:
    (maker,) = asked(f"a = Relu(x) b = Tanh(x) c = {TO_LAST}(a) y = MatMul(c, m)", m=numbers(4, 4))
    assert maker == {"a": (0, 2, 3, 1), "b": (0, 2, 3, 1)}


def test_across_a_change_of_rank() -> None:
    body = """a = Conv(x, w) b = Transpose<perm = [0, 2, 3, 1]>(a) c = Relu(b) d = Unsqueeze(c, i) e = Sigmoid(d)
        y = Flatten(e)"""
    (proposal,) = asked(body, w=numbers(4, 4, 1, 1), i=np.array([2]))
    assert proposal == {"c": (0, 3, 1, 2), "e": (0, 4, 1, 2, 3)}
