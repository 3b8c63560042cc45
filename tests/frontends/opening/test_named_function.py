from __future__ import annotations

import pytest

from onnxpress.errors import InvalidOption
from onnxpress_frontends.opening.named_function import NamedFunction, endpoints


def test_repeated_and_taken_names_are_numbered() -> None:
    named = endpoints(["y", "x", "y", "y"], "abcd", taken=["x"])
    assert [(end.name, end.tensor) for end in named] == [("y", "a"), ("x_1", "b"), ("y_1", "c"), ("y_2", "d")]


def test_a_numbered_name_avoids_a_given_one() -> None:
    assert [end.name for end in endpoints(["y", "y_1", "y"], "abc")] == ["y", "y_1", "y_2"]


@pytest.fixture
def function() -> NamedFunction:
    return NamedFunction(
        title="net",
        function=None,
        inputs=endpoints(["a", "b"], "ab"),
        outputs=endpoints(["x", "y", "z"], "xyz"),
        owner=None,
    )


def test_outputs_are_selected_in_the_order_asked_for(function: NamedFunction) -> None:
    assert [end.name for end in function.select(["b", "a"], ["z", "x"]).outputs] == ["z", "x"]
    assert function.select(None, None) is function


def test_inputs_must_all_be_named(function: NamedFunction) -> None:
    with pytest.raises(InvalidOption, match="option 'inputs' must name all inputs of 'net': 'a', 'b'"):
        function.select(["a"], None)
