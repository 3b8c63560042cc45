"""Layers with options that nobody factored, for what decides between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from made_layers import layer
from onnxpress_plugins.decomposition.candidates import Candidate, Option
from onnxpress_plugins.decomposition.prospects import Prospect
from onnxpress_plugins.decomposition.speed.latency import Modelled
from onnxpress_plugins.decomposition.speed.workload import Workload
from onnxpress_plugins.decomposition.ways import Way


def candidate(options: Sequence[tuple[float, float]], *, dense: float = 1.0, given: bool = False) -> Candidate:
    """A layer of these seconds and squared errors, cheapest first; multiplications are seconds times 100."""
    plain = layer(10, 10, 1, 1)
    way = Way("low_rank", (0, 1))
    prospect = Prospect(
        node=cast(Any, object()),
        layer=plain,
        workload=Workload(repeats=1, sizes_in=(1, 1), sizes_out=(1, 1)),
        clock=Modelled(),
        seconds=dense,
        stacks={},
        is_given=given,
    )
    made = [
        Option(stack=way.stack(plain, (at + 1,)), macs=int(100 * seconds), seconds=seconds, error=error)
        for at, (seconds, error) in enumerate(options)
    ]
    return Candidate(prospect=prospect, options=made, factorings={}, mean=None)
