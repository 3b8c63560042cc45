from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxpress.ascend.prototypes import PROTOTYPES, Attribute

WHOLE = Attribute(type=ir.AttributeType.FLOAT, low=-128, high=127, whole=True)
SWITCH = Attribute(type=ir.AttributeType.INT, words=(0, 1))
ONES = Attribute(type=ir.AttributeType.INTS, words=(1,))


@pytest.mark.parametrize(
    ("rule", "attribute", "taken"),
    [
        (WHOLE, ir.AttrFloat32("a", -128.0), True),
        (WHOLE, ir.AttrFloat32("a", 127.0), True),
        (WHOLE, ir.AttrFloat32("a", 127.5), False),
        (WHOLE, ir.AttrFloat32("a", -129.0), False),
        (WHOLE, ir.AttrFloat32("a", float("nan")), False),
        (WHOLE, ir.AttrFloat32("a", float("inf")), False),
        (WHOLE, ir.AttrInt64("a", 3), False),
        (SWITCH, ir.AttrInt64("a", 1), True),
        (SWITCH, ir.AttrInt64("a", 2), False),
        (ONES, ir.AttrInt64s("a", [1, 1]), True),
        (ONES, ir.AttrInt64s("a", [1, 2]), False),
    ],
)
def test_values_of_attributes(rule: Attribute, attribute: ir.Attr, taken: bool):
    assert rule.takes(attribute) is taken


def test_rules_in_words():
    assert str(WHOLE) == "whole FLOAT in [-128, 127]"
    assert str(SWITCH) == "INT 0 or 1"
    assert str(PROTOTYPES["AscendQuant"].attributes["scale"]) == "FLOAT in [1.17549e-38, 8388608]"
