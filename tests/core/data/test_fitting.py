from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from onnxpress.data.fitting import Chunk, cast, fit
from onnxpress.errors import InvalidData
from onnxpress.kinds import Port

NUMBERS = ["float16", "float32", "float64", "int8", "uint8", "int32", "int64", "bool"]
ARRAYS = st.sampled_from(NUMBERS).flatmap(lambda name: hnp.arrays(np.dtype(name), st.integers(1, 5)))


@given(ARRAYS, st.sampled_from(NUMBERS))
def test_a_cast_keeps_every_integer_and_never_makes_one_of_a_float(array: np.ndarray, wanted: str) -> None:
    port = Port(name="x", dtype=wanted, shape=None)
    with np.errstate(all="ignore"):
        plain = array.astype(wanted)
    overflows = np.isinf(plain.astype(np.float64)) & np.isfinite(array)
    kept = np.dtype(wanted).kind == "f" and not overflows.any() if array.dtype.kind == "f" else (plain == array).all()
    if array.dtype == plain.dtype or (kept and wanted != "bool"):
        np.testing.assert_array_equal(cast({"x": array}, [port], "data")["x"], plain)
    else:
        with pytest.raises(InvalidData, match="data: input 'x' expects"):
            cast({"x": array}, [port], "data")


def test_an_overflow_is_no_rounding() -> None:
    with pytest.raises(InvalidData, match="input 'x' expects float32, which cannot hold these float64 values"):
        cast({"x": np.array([1e300])}, [Port(name="x", dtype="float32", shape=None)], "data")


def test_text_goes_where_text_is_wanted() -> None:
    port = Port(name="x", dtype="object", shape=None)
    assert cast({"x": np.array(["a", "b"])}, [port], "data")["x"].tolist() == ["a", "b"]
    with pytest.raises(InvalidData, match="data: input 'x' expects float32, got <U1; convert the data first"):
        cast({"x": np.array(["a"])}, [Port(name="x", dtype="float32", shape=None)], "data")


def test_types_that_arrays_do_not_have() -> None:
    port = Port(name="x", dtype="seq(tensor(float))", shape=None)
    with pytest.raises(InvalidData, match=r"input 'x' is of type seq\(tensor\(float\)\), which data cannot hold"):
        cast({"x": np.zeros(1)}, [port], "data")


def test_a_sample_gets_a_batch_axis() -> None:
    port = Port(name="x", dtype="float32", shape=("N", 2, 3))
    assert fit(Chunk({"anything": np.zeros((2, 3))}, "data"), [port])["x"].shape == (1, 2, 3)


def test_order_is_that_of_the_inputs() -> None:
    ports = [Port(name=name, dtype="float32", shape=("N",)) for name in "ba"]
    assert list(fit(Chunk({"a": np.zeros(1), "b": np.zeros(1)}, "data"), ports)) == ["b", "a"]
