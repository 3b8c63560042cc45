"""Pads of windows: SAME as TensorFlow counts it, and what ``ceil_mode`` adds, against the definitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from formulas import a_call, known
from onnxpress_backends.tensorflow.geometry.terms import Term
from onnxpress_backends.tensorflow.geometry.windows import explicit_pads, extents, same_pads

SIZES = st.integers(1, 40)


def size_of(number: int) -> Term:
    return known(np.array(number, np.int32))[0]


@given(size=SIZES, extent=st.integers(1, 9), stride=st.integers(1, 5))
def test_same_gives_one_place_for_every_step(size: int, extent: int, stride: int):
    before, after = (int(pad.known) for pad in same_pads(size_of(size), extent, stride) if pad.known is not None)
    places = -(-size // stride)
    assert before <= after <= before + 1
    if (places - 1) * stride + extent >= size:
        assert (size + before + after - extent) // stride + 1 == places
    else:
        assert before == after == 0


def test_same_does_not_ask_for_the_size_where_it_does_not_matter():
    call = a_call()
    unknown = Term(call, call.emit("Placeholder", dtype=call.const(0, size_of(1).dtype).dtype, shape=()))
    assert [pad.known for pad in same_pads(unknown, 4, 1)] == [1, 2]
    assert all(pad.known is None for pad in same_pads(unknown, 4, 2))


def test_extents_and_pads_by_axis():
    assert extents((3, 2), (1, 4)) == (3, 5)
    pads = explicit_pads(a_call(), (1, 2, 3, 4))
    assert [[int(number.known) for number in pair if number.known is not None] for pair in pads] == [[1, 3], [2, 4]]
