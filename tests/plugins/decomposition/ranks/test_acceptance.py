"""A replacement must be true and fast enough, and the reason says by how much it is not."""

from __future__ import annotations

import pytest

from onnxpress_plugins.decomposition.ranks.acceptance import Acceptance

TEST = Acceptance(max_error=0.1, min_gain=0.1)


@pytest.mark.parametrize(("error", "replaced"), [(0.0, 0.5), (0.1, 0.5), (0.05, 0.9)])
def test_within_both_limits_nothing_speaks_against_it(error: float, replaced: float) -> None:
    assert TEST.objection(error=error, dense=1.0, replaced=replaced) is None


@pytest.mark.parametrize(
    ("error", "replaced", "reason"),
    [
        (0.125, 0.5, "decomposing it makes an error of 12.5%, and 10.0% is the most that is allowed"),
        (float("nan"), 0.5, "decomposing it makes an error of nan%, and 10.0% is the most that is allowed"),
        (0.0, 0.95, "decomposing it saves 5% of its time, and 10% is the least that counts"),
        (0.0, 1.2, "decomposing it adds 20% of its time, and 10% is the least that counts"),
    ],
)
def test_the_reason_is_told(error: float, replaced: float, reason: str) -> None:
    assert TEST.objection(error=error, dense=1.0, replaced=replaced) == reason
