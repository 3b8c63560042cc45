from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress_frontends.mapping.einsum_spelling import spell

SIZES = {"a": 2, "b": 3, "c": 4, "d": 5, "e": 1}


@st.composite
def equations(draw: st.DrawFn) -> str:
    left, right = (draw(st.permutations("abcde"))[: draw(st.integers(1, 5))] for _ in range(2))
    known = sorted({*left, *right})
    result = draw(st.permutations(known))[: draw(st.integers(0, len(known)))]
    return f"{''.join(left)},{''.join(right)}->{''.join(result)}"


@given(equations())
def test_another_spelling_says_the_same(equation: str) -> None:
    generator = np.random.default_rng(0)
    terms = equation.partition("->")[0].split(",")
    operands = [generator.integers(-9, 9, [SIZES[letter] for letter in term]) for term in terms]
    np.testing.assert_array_equal(np.einsum(equation, *operands), np.einsum(spell(equation), *operands))


@pytest.mark.parametrize(
    ("equation", "spelling"),
    [
        ("abc,cde->abde", "abc,cde->abde"),
        ("aecd,abcd->acbe", "acbd,aebd->abec"),
        ("zy,yx->zx", "ab,bc->ac"),
    ],
)
def test_batch_left_summed_right(equation: str, spelling: str) -> None:
    assert spell(equation) == spelling


@pytest.mark.parametrize(
    ("equation", "einsum"),
    [
        ("abc,cde->abde", 0),
        ("aecd,abcd->acbe", 0),
        ("acbe,aecd->abcd", 0),
        ("abc,bcd->ad", 0),
        ("abc,abc->ab", 0),
        ("ab,cb->ca", 0),
        ("ab->ba", 0),
        ("...b,bc->...c", None),
        ("abb->ab", None),
    ],
)
def test_tensorflow_gives_the_same(agree: Any, tf: Any, equation: str, einsum: int | None) -> None:
    sizes = {"a": 2, "b": 3, "c": 4, "d": 5, "e": 6}
    terms = equation.partition("->")[0].replace("...", "a").split(",")
    specs = [tf.TensorSpec([sizes[letter] for letter in term], name=f"x{index}") for index, term in enumerate(terms)]
    model = agree(tf.function(lambda *operands: tf.einsum(equation, *operands), input_signature=specs))
    if einsum is not None:
        assert [node.op_type for node in model.graph].count("Einsum") == einsum
