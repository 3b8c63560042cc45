"""Ranges: what is one, and that a file gives back exactly what was saved."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress import ranges
from onnxpress.errors import InvalidData
from onnxpress.ranges import Range

finite = st.floats(allow_nan=False, allow_infinity=False)
some_ranges = st.tuples(finite, finite).map(lambda ends: Range(min(ends), max(ends)))


@pytest.mark.parametrize("low, high", [(math.nan, 1), (0, math.nan), (-math.inf, 1), (0, math.inf), (2, 1)])
def test_what_is_no_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(InvalidData, match=r"a range must be finite and ordered, not \["):
        Range(low, high)


@given(some_ranges, some_ranges)
def test_the_union_holds_both_and_no_more(a: Range, b: Range) -> None:
    union = a.union(b)
    assert union.low in (a.low, b.low) and union.high in (a.high, b.high)
    assert all(union.low <= part.low and part.high <= union.high for part in (a, b))


@given(st.dictionaries(st.text(), some_ranges))
def test_a_file_gives_back_exactly_what_was_saved(saved: dict[str, Range]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ranges.json"
        ranges.save(saved, path)
        assert ranges.load(path) == saved
        assert [entry.name for entry in Path(folder).iterdir()] == ["ranges.json"]


def test_the_file_does_not_depend_on_the_order(tmp_path: Path) -> None:
    some = {"b": Range(0.0, 0.1), "a": Range(-1.0, 2.0)}
    ranges.save(some, tmp_path / "one")
    ranges.save(dict(reversed(some.items())), tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "onnxpress-ranges", "version": 99, "ranges": {}}'])
def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ranges.json"
    path.write_text(text)
    with pytest.raises(InvalidData, match=r"cannot read ranges from .*ranges.json|is not a range file of onnxpress"):
        ranges.load(path)


@pytest.mark.parametrize("entries", [None, [], {"x": 1}, {"x": [1]}, {"x": [1, 2, 3]}, {"x": ["a", "b"]}])
def test_entries_that_are_no_ranges_are_refused(tmp_path: Path, entries: object) -> None:
    path = tmp_path / "ranges.json"
    path.write_text(json.dumps({"format": "onnxpress-ranges", "version": 1, "ranges": entries}))
    with pytest.raises(InvalidData, match=r"every range must be a name with two numbers \[low, high\]"):
        ranges.load(path)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"cannot read ranges from .*none.json: .*No such file"):
        ranges.load(tmp_path / "none.json")
