"""The lines of docs/python.md that need nothing but arrays run, and give what their comments say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")


def test_kernels_on_plain_arrays() -> None:
    section = PAGE.partition("## Kernels on plain arrays")[2].partition("\n## ")[0]
    plain, whitened = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    random = np.random.default_rng(0)
    found: dict[str, Any] = {"weight": random.standard_normal((48, 40, 3, 3), np.float32), "covariance": np.eye(120)}
    found["matrix"] = found["weight"][..., 0, 0]
    exec(plain, found)
    assert [found[name].shape for name in ("column", "row")] == [(32, 40, 3, 1), (48, 32, 1, 3)]
    assert [found[name].shape for name in ("reduced", "expanded")] == [(32, 40, 3, 3), (48, 32, 1, 1)]
    assert [found[name].shape for name in ("before", "core", "behind")] == [
        (24, 40, 1, 1),
        (32, 24, 3, 3),
        (48, 32, 1, 1),
    ]
    assert [found[name].shape for name in ("first", "second")] == [(16, 40), (48, 16)]
    without = np.tensordot(found["row"], found["column"], (1, 0))
    exec(whitened, found)  # inputs that move alike change nothing
    assert np.tensordot(found["row"], found["column"], (1, 0)) == pytest.approx(without, abs=1e-4)
