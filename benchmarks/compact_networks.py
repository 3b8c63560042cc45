"""What recipe `low-rank` makes of small networks, whose layers have hardly a rank to spare, at its defaults.

The demo's Fashion-MNIST network of 3x3 convolutions is judged on all 10,000 test pictures (the demo's 2,000 where the
data set is not installed), EfficientNet-Lite0 on foolbox's 20 labelled photographs. A layer is replaced only if it
stays true enough and becomes fast enough; the last column says how many others there are for each reason. SQNR is that
of the logits; time is that of one thread in onnxruntime, of `low-rank` over `convert`, of `low-rank-int8` over `int8`.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interleaving import gain, latencies
from models import photos
from models.classifiers import Task, fashion, photographs
from models.efficientnet_lite0 import SIZE
from results import Goal, quick, write

if TYPE_CHECKING:
    from onnxpress import Result

LOST = 0.3
"""Points of accuracy that may be lost."""

RECIPES = ("convert", "low-rank", "int8", "low-rank-int8")
AGAINST = {"low-rank": "convert", "low-rank-int8": "int8"}


def measure(network: str, task: Task, folder: Path) -> list[dict[str, Any]]:
    """A row for every recipe."""
    import onnxpress
    import onnxpress.data
    from onnxpress.measuring.comparing import compare
    from onnxpress.runtime import Session

    files = {recipe: folder / f"{recipe}.onnx" for recipe in RECIPES}
    results = {
        recipe: onnxpress.compress(task.source, recipe=recipe, data=task.calibration, out=path)
        for recipe, path in files.items()
    }
    reference = Session(files["convert"], threads=1)
    first = {name: pictures[:1] for name, pictures in task.images.items()}
    times = latencies(files, first, runs=5 if quick() else 50)
    rows = []
    for recipe, path in files.items():
        samples = onnxpress.data.load(task.images, reference.inputs)
        found = compare(reference, Session(path, optimize=True, threads=1), samples, labels=task.labels)
        other = AGAINST.get(recipe)
        rows.append(
            {
                "network": network,
                "recipe": recipe,
                "top-1 %": 100 * (found.accuracy_b or 0.0),
                "SQNR dB": None if recipe == "convert" else found.outputs[0].sqnr_db,
                "time": other and 1 / gain(times[other], times[recipe]),
                **(layers(results[recipe]) if other else {}),
            }
        )
    return rows


def layers(result: Result) -> dict[str, Any]:
    """How many layers were replaced, and how many were not for which reason, figures left out."""
    (notes,) = (step.notes for step in result.run.steps if step.name == "decompose")
    reasons = Counter(re.sub(r"\d[\d.]*%", "...", declined.reason) for declined in notes.declined)
    kept = "; ".join(f"{count}: {reason}" for reason, count in reasons.most_common())
    return {"layers replaced": len(notes.details["layers"]), "layers left": kept}


def goals(rows: list[dict[str, Any]]) -> list[Goal]:
    """What the test of each layer is held to."""
    accuracy = {(row["network"], row["recipe"]): row["top-1 %"] for row in rows}
    return [
        Goal(f"points of accuracy that {network} loses", LOST, round(before - accuracy[network, "low-rank"], 3))
        for (network, recipe), before in accuracy.items()
        if recipe == "convert"
    ]


def main() -> None:
    """Measure both networks."""
    tasks = {
        "fashion_conv": fashion("fashion_conv"),
        "efficientnet_lite0": photographs("efficientnet_lite0", *photos.labelled(SIZE)),
    }
    rows = []
    for network, task in tasks.items():
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(network, task, Path(folder))
    write("compact_networks", about=(__doc__ or "").strip(), rows=rows, goals=goals(rows))


if __name__ == "__main__":
    main()
