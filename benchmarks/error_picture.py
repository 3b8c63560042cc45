"""The picture of `decomposition`: error of the edges against multiplications, one line for each way to decompose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from onnxpress.files import atomic

LOOKS: dict[str, dict[str, Any]] = {
    "AMCT's rule": {"color": "#b2182b", "marker": "s"},
    "AMCT's ranks": {"color": "#ef8a62", "marker": "s"},
    "one ratio": {"color": "#67a9cf", "marker": "o"},
    "recipe low-rank": {"color": "#2166ac", "marker": "D"},
}
TICKS = (0.002, 0.005, 0.01, 0.02, 0.05)
STYLE: Any = {"svg.hashsalt": "onnxpress", "svg.fonttype": "none", "font.size": 10, "font.family": "sans-serif"}
"""The same bytes for the same rows, whenever it is drawn, and text that stays text."""


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the picture as SVG.

    Args:
        rows: With "ranks by", "error of", "% of multiplications" and "mean abs. error".
        path: Where to.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.6), layout="constrained")
        axes = figure.subplots()
        for curve, own in groupby(sorted(rows, key=_curve), key=_curve):
            points = sorted((row["% of multiplications"], row["mean abs. error"]) for row in own)
            rule, errors = list(LOOKS)[curve[0]], curve[1]
            style = "--" if errors == "weights" else "-"
            axes.plot(*zip(*points, strict=True), style, label=f"{rule}, error of {errors}", **LOOKS[rule])
        axes.set_yscale("log")
        axes.set_yticks(TICKS, [str(tick) for tick in TICKS])
        axes.minorticks_off()
        axes.set_xlabel("multiplications left, %")
        axes.set_ylabel("mean error of the probability of an edge")
        axes.grid(visible=True, linewidth=0.3)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        with atomic(path) as staged:
            figure.savefig(staged, format="svg", metadata={"Date": None})


def _curve(row: Mapping[str, Any]) -> tuple[int, str]:
    return list(LOOKS).index(row["ranks by"]), row["error of"]
