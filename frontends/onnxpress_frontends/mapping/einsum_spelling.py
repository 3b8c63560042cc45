"""Einsum becomes Transpose, Reshape and MatMul in the spelling that needs the fewest Transposes.

tf2onnx lays every operand out in the alphabetical order of the letters of an equation, and so tries every renaming:
120 of ``abc,cde->abde``, the projection of an attention layer, in nearly two seconds.  A product of matrices has its
letters in one natural order: those of the batch, those of the left operand alone, those summed over, those of the right
alone.
"""

from __future__ import annotations

import string
from typing import Any


def spell(equation: str) -> str:
    """The same equation with letters whose alphabet is the order in which a product of matrices wants them."""
    terms, _, result = equation.replace(" ", "").partition("->")
    left, _, right = terms.partition(",")

    def kind(letter: str) -> int:
        if letter in left and letter in right:
            return 0 if letter in result else 2
        return 1 if letter in left else 3

    letters = list(dict.fromkeys(letter for letter in (*result, *left, *right) if letter.isalpha()))
    renamed = str.maketrans(dict(zip(sorted(letters, key=kind), string.ascii_letters, strict=False)))
    return equation.replace(" ", "").translate(renamed)


def decompose(node: Any, graph: Any) -> bool:
    """Replace an Einsum node of a tf2onnx graph by simpler nodes; returns whether that was done.

    An ellipsis, a diagonal, and an output that is not spelt out stay Einsum.
    """
    from tf2onnx.optimizer.einsum_optimizer import decompose_einsum_equation

    equation = node.attr["equation"].s.decode("ascii").replace(" ", "")
    terms = equation.replace("->", ",").split(",")
    diagonal = any(len(set(term)) < len(term) for term in terms)
    if diagonal or "." in equation or "->" not in equation or graph.get_shape(node.input[0]) is None:
        return False
    nodes = list(decompose_einsum_equation(spell(equation)).to_tf2onnx(graph, node))
    if not nodes:
        return False
    graph.replace_all_inputs(node.output[0], nodes[-1].output[0])
    graph.safe_remove_nodes([node])
    if node.output[0] in graph.outputs:
        graph.make_node("Identity", [nodes[-1].output[0]], outputs=[node.output[0]], name=f"{node.name}_result")
    return True
