from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from onnxpress.decomposition.json_entries import Entry, entries
from onnxpress.errors import InvalidData

CONTENT = {
    "name": "größe",
    "count": 3,
    "sizes": [1, 0],
    "none": None,
    "yes": True,
    "inner": {"count": -1},
    "list": [{}],
}


def test_fields_of_their_kind() -> None:
    entry = Entry(CONTENT, "the file")
    assert (entry.text("name"), entry.size("count"), entry.sizes("sizes"), entry.flag("yes")) == (
        "größe",
        3,
        (1, 0),
        True,
    )
    assert entry.sizes_if_known("sizes") == (1, 0) and entry.sizes_if_known("none") is None
    assert entry.word("name", ("klein", "größe")) == "größe"
    assert [item.where for item in entry.entries("list")] == ["the file, list[0]"]


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda entry: entry.text("nam"), "the file has no field 'nam'"),
        (lambda entry: entry.text("count"), "the file: count must be a text, not 3"),
        (lambda entry: entry.size("yes"), "the file: yes must be an integer that is not negative, not True"),
        (lambda entry: entry.flag("count"), "the file: count must be true or false, not 3"),
        (lambda entry: entry.word("name", ("a", "b")), "the file: name must be one of a, b, not 'größe'"),
        (
            lambda entry: entry.entry("inner").size("count"),
            "the file, inner: count must be an integer that is not negative, not -1",
        ),
        (lambda entry: entry.entry("sizes"), "the file, sizes must be an object, not [1, 0]"),
        (lambda entry: entry.entries("inner"), "the file, inner must be a list, not {'count': -1}"),
        (lambda entry: entry.called("layer 'a'").text("nam"), "layer 'a' has no field 'nam'"),
        (lambda entry: entry.only(["name", "counts"]), "the file has an unknown field 'count'; did you mean 'counts'?"),
        (lambda entry: entry.only(["x", "name"]), "the file has an unknown field 'count'; known: name, x"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(read: Callable[[Entry], Any], sentence: str) -> None:
    with pytest.raises(InvalidData) as caught:
        read(Entry(CONTENT, "the file"))
    assert str(caught.value) == sentence


def test_a_long_value_is_cut() -> None:
    with pytest.raises(InvalidData) as caught:
        entries("x" * 100, "layers")
    assert str(caught.value) == f"layers must be a list, not '{'x' * 56}..."
