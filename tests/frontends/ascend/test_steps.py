from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onnxpress_frontends.ascend.steps import step_of, weight_steps

STEPS = st.floats(2.0**-23, 1e6, width=32)
MANY = st.lists(st.floats(2.0**-23, 1e4, width=32), min_size=1, max_size=20).map(lambda it: np.array(it, np.float32))


@given(STEPS, MANY)
def test_whatever_the_two_formulas_give_is_given_again(step: float, scales: np.ndarray) -> None:
    """What a deploy file holds comes out to the bit, though the step itself need not."""
    scale = np.float32(1) / np.float32(step)
    words = np.float32(step) * scales
    found = step_of(scale, [words], [])
    assert np.float32(1) / found == scale
    weights, exact = weight_steps(found, words)
    assert exact.all()
    assert np.array_equal(found * weights, words)


@given(STEPS)
def test_a_step_that_the_file_says_is_taken(step: float) -> None:
    assert step_of(np.float32(1) / np.float32(step), [], [np.float32(step)]) == np.float32(step)


@given(STEPS, STEPS)
def test_whatever_stands_in_a_file_is_met_to_a_unit_in_the_last_place(scale: float, word: float) -> None:
    step = step_of(np.float32(scale), [np.array([word], np.float32)], [])
    assert abs(np.float64(step) * scale - 1) < 2.0**-23
    weights, exact = weight_steps(step, np.array([word], np.float32))
    product = (step * weights)[0]
    assert exact[0] == (product == np.float32(word))
    assert abs(product - np.float32(word)) <= np.spacing(np.float32(word))


def test_a_word_that_no_scale_gives() -> None:
    """Half of all products of 1.5 and a float are no neighbours."""
    words = np.nextafter(np.float32(1.6), np.float32(2)) + np.arange(64, dtype=np.float32) * np.float32(2.0**-23)
    _, exact = weight_steps(np.float32(1.5), words)
    assert 0 < exact.sum() < 64


def test_a_quotient_that_float32_does_not_hold_is_not_exact() -> None:
    weights, exact = weight_steps(np.float32(1e-30), np.array([1e30, 1e-30], np.float32))
    assert not exact[0] and exact[1]
    assert not np.isfinite(weights[0]) or weights[0] == np.finfo(np.float32).max
