"""Protobuf text in and out, on types made from data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.ascend.text_messages import Schema, parse, render
from onnxpress.errors import InvalidData

SCHEMA: Schema = {
    "Zoo": {"animal": "repeated Animal", "open": "bool"},
    "Animal": {
        "name": "string",
        "weight": "float",
        "legs": "int32",
        "sizes": "repeated float",
        "mood": "Mood",
        "moods": "repeated Mood",
        "mother": "Animal",
        "tag": "bytes",
    },
    "Mood": ("CALM", "WILD"),
}

FLOATS = st.floats(width=32, allow_nan=False)
ANIMALS: st.SearchStrategy[dict[str, Any]] = st.deferred(
    lambda: st.fixed_dictionaries(
        {},
        optional={
            "name": st.text(),
            "weight": FLOATS,
            "legs": st.integers(-(2**31), 2**31 - 1),
            "sizes": st.lists(FLOATS, min_size=1, max_size=5),
            "mood": st.sampled_from(["CALM", "WILD"]),
            "moods": st.lists(st.sampled_from(["CALM", "WILD"]), min_size=1, max_size=3),
            "mother": ANIMALS,
            "tag": st.binary(),
        },
    )
)


def read(text: str) -> dict[str, Any]:
    return parse(text, SCHEMA, source="zoo.txt", landmark="name")


@given(st.fixed_dictionaries({}, optional={"animal": st.lists(ANIMALS, min_size=1, max_size=4), "open": st.booleans()}))
def test_what_is_written_is_read_back(zoo: dict[str, Any]) -> None:
    text = render(zoo, SCHEMA)
    assert text.isascii()
    assert read(text) == zoo


@given(st.lists(st.integers(0, 2**32 - 1).map(lambda bits: np.array(bits, np.uint32).view(np.float32)), max_size=20))
def test_every_finite_float32_survives_bit_by_bit(numbers: list[np.float32]) -> None:
    sizes = [float(number) for number in numbers if np.isfinite(number)]
    found = read(render({"animal": [{"sizes": sizes}]}, SCHEMA))["animal"][0].get("sizes", [])
    assert np.array(found, np.float32).tobytes() == np.array(sizes, np.float32).tobytes()


def test_spellings_of_protobuf() -> None:
    text = """
    # a comment
    open: true
    animal < name: 'a' 'b'; legs: 0x10, sizes: [1, 2.5f] sizes: 3 mood: WILD >
    """
    animal = {"name": "ab", "legs": 16, "sizes": [1.0, 2.5, 3.0], "mood": "WILD"}
    assert read(text) == {"open": True, "animal": [animal]}


def test_a_message_without_fields_is_there() -> None:
    assert read(render({"animal": [{"mother": {}}]}, SCHEMA)) == {"animal": [{"mother": {}}]}
    assert read("") == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            'animal { name: "ox"\n wieght: 1 }',
            "zoo.txt, line 2, after name 'ox': unknown field 'wieght'; did you mean ",
        ),
        ("animal { qqqq: 1 }", "zoo.txt, line 1: unknown field 'qqqq'; known: name, weight, legs, sizes, mood"),
        ('animal { name: "ox"', "line 1, after name 'ox': Expected \"}\"; the text may be cut short"),
        ('animal { name: "ox', "missing ending quote: '\"ox'; the text may be cut short"),
        ('animal { name: "ox" weight: "heavy" }', "after name 'ox': Couldn't parse float: \"heavy\""),
        ('animal { name: "ox" legs: 4000000000 }', "after name 'ox': Value out of range: 4000000000"),
        ('animal { name: "ox" legs: 1 legs: 2 }', 'should not have multiple "legs" fields'),
        ("animal { mood: ANGRY }", "line 1: "),
        ("\0", "zoo.txt, line 1: Expected identifier or number, got \0"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, sentence: str) -> None:
    with pytest.raises(InvalidData) as caught:
        read(text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
