"""A name means what the value says where it first appears; nothing else changes what is known of it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress_plugins.cleaning.shape_facts import ShapeFacts
from onnxpress_plugins.cleaning.symbolic_sizes import Size

N, M = Size.of("N"), Size.of("M")


def value(name: str, *shape: int | str | None) -> ir.Value:
    return ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))


def test_a_new_name_is_defined_by_what_is_said_of_the_value() -> None:
    facts, batch, made = ShapeFacts(), value("x", "N", 4), value("r", "unk__0", "unk__1", 8)
    facts.meet([batch])
    facts.define(made, [N * Size(2), N, Size(8)])
    assert facts.shape(made) == [N * Size(2), N, Size(8)]
    assert facts.shape(value("later", "unk__0", "M")) == [N * Size(2), M]
    facts.name_dimensions(made)
    assert made.shape == ["unk__0", "N", 8]


def test_a_name_that_exists_keeps_its_meaning() -> None:
    facts, made = ShapeFacts(), value("r", "M", 8)
    facts.meet([value("x", "N", "M")])
    facts.define(made, [N, Size(7)])
    facts.meet([made])
    facts.define(value("s", "M"), [Size(3)])
    assert facts.shape(made) == [M, Size(8)]


@pytest.mark.parametrize("nothing", [None, "?", "None", "-1", "2*N"])
def test_dimensions_without_a_name_are_equal_to_none_but_themselves(nothing: str | None) -> None:
    facts = ShapeFacts()
    one, other = value("x", nothing, nothing), value("y", nothing)
    (rows, columns), (others,) = facts.shape(one) or [], facts.shape(other) or []
    assert len({str(rows.symbol), str(columns.symbol), str(others.symbol)}) == 3
    assert facts.shape(one) == [rows, columns]
    facts.name_dimensions(one)
    assert one.shape == [nothing, nothing]


def test_a_shape_of_unknown_rank_becomes_known() -> None:
    facts, made = ShapeFacts(), ir.Value(name="r")
    assert facts.shape(made) is None and facts.shape(None) is None
    facts.define(made, [N, None])
    facts.name_dimensions(made)
    assert made.shape == ["N", None]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (np.array([2, -1]), [Size(2), Size(-1)]),
        (np.array(3, np.int32), [Size(3)]),
        (np.array([2.0]), None),
        (np.array([[2]]), None),
        (np.arange(1000), None),
    ],
)
def test_lists_of_integers_are_read(numbers: np.ndarray, expected: list[Size] | None) -> None:  # type: ignore[type-arg]
    tensor = ir.tensor(numbers, name="c")
    constant = ir.Value(name="c", const_value=tensor, shape=ir.Shape(numbers.shape), type=ir.TensorType(tensor.dtype))
    ir.Graph([], [], nodes=[], initializers=[constant])
    facts = ShapeFacts()
    assert facts.contents(constant) == expected
    assert facts.contents(value("x", 4)) is None
    facts.hold(held := value("h", 2), [N, None])
    assert facts.contents(held) == [N, None]
