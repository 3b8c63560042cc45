from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from error_picture import LOOKS, draw

pytestmark = pytest.mark.long  # matplotlib comes with the extra `bench`

ROWS = [
    {"ranks by": rule, "error of": errors, "% of multiplications": share, "mean abs. error": 1 / share}
    for rule in LOOKS
    for errors in ("outputs", "weights")
    for share in (50.0, 25.0)
]


def test_the_picture_has_a_line_for_every_way(tmp_path: Path) -> None:
    draw(ROWS, tmp_path / "picture.svg")
    texts = {element.text for element in ElementTree.parse(tmp_path / "picture.svg").iter() if element.text}
    assert {f"{rule}, error of {errors}" for rule in LOOKS for errors in ("outputs", "weights")} <= texts


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.svg", "other.svg"):
        draw(ROWS, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()
