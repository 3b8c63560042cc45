"""Low-rank decomposition of HED, a trained edge detector on VGG16, without fine-tuning.

Its twelve 3x3 layers become stacks of a column and a row, ranks and factors chosen in several ways: as AMCT does, with
its ranks but factors that minimise the error of the output, with one ratio for all layers, and by recipe `low-rank` at
several budgets. Calibrated on 24 crops of six photographs inside scikit-image, judged on 18 crops of six others against
the network as it was: mean absolute error of the probability of an edge, overlap (intersection over union) of the
pixels above one half, correlation; means over the crops that have an edge. Time is that of one thread over the dense
network in onnxruntime, 256 x 256 pixels, in float and with int8 on top over the dense network in int8. CPU seconds are
those of the whole recipe. ``docs/decomposition.svg`` is drawn from the same rows.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from error_picture import draw
from interleaving import gain, latencies
from models import edges
from models.onnx_files import onnx_file
from results import Goal, quick, write

if TYPE_CHECKING:
    from models.edges import Maps

PICTURE = Path(__file__).parents[1] / "docs" / "decomposition.svg"
BUDGETS = (0.5, 0.39, 0.35, 0.26)
AMCT, AMCT_RANKS, RATIO, BUDGET = "AMCT's rule", "AMCT's ranks", "one ratio", "recipe low-rank"
WEIGHTS, OUTPUTS = "weights", "outputs"
DENSE = "dense"
COLUMNS = (
    "ranks by",
    "error of",
    "% of multiplications",
    "mean abs. error",
    "overlap",
    "correlation",
    "time over dense",
    "int8 overlap",
    "int8 time over dense int8",
    "CPU s",
    "ranks",
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One way to decompose.

    Attributes:
        rule: How ranks are chosen.
        errors: What is minimised: the error of weights, which takes no data, or of outputs.
        share: Share of the multiplications that is asked for, where one is.
        options: Of pass `decompose`.
        int8: Whether the result is quantised, too.
    """

    rule: str
    errors: str = OUTPUTS
    share: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    int8: bool = False

    @property
    def name(self) -> str:
        """What it is called in files and tables."""
        return " ".join([self.rule, *([] if self.share is None else [str(self.share)]), f"({self.errors})"])


@dataclass(frozen=True, kw_only=True)
class Crops:
    """Pictures to calibrate on and to judge by, with what the network makes of the latter."""

    calibration: Maps
    test: Maps
    expected: Maps


def settings() -> Iterator[Setting]:
    """All but the one that takes AMCT's ranks, which are known once AMCT's rule has run."""
    yield Setting(rule=AMCT, errors=WEIGHTS, options={"policy": "amct"}, int8=True)
    for share in BUDGETS:
        yield Setting(rule=BUDGET, share=share, options={"budget": share}, int8=True)
    free = {"policy": "ratio", "max_error": 1.0, "min_gain": 0.0}
    for share in () if quick() else (0.5, 0.26):
        for errors in (WEIGHTS, OUTPUTS):
            yield Setting(rule=RATIO, errors=errors, share=share, options=free | {"ratio": share})


def crops(model: Path) -> Crops:
    """The pictures, and the edges that the network finds on those it is judged by."""
    test = edges.crops(edges.TEST, 1 if quick() else 3, seed=1)
    return Crops(
        calibration=edges.crops(edges.CALIBRATION, 1 if quick() else 4, seed=0),
        test=test,
        expected=found(model, test),
    )


def found(model: Path, pictures: Maps) -> Maps:
    """Probabilities of edges."""
    from onnxpress.runtime import Session

    session = Session(model, optimize=True, threads=1)
    edge_maps: Maps = session.run({"image": pictures})["edges"]
    return edge_maps


def row(setting: Setting, model: Path, pictures: Crops, folder: Path) -> dict[str, Any]:
    """Decompose, quantise where that is asked for, and judge; files are called after the setting."""
    import onnxpress

    start = time.process_time()
    result = onnxpress.compress(
        model,
        recipe="low-rank",
        data={"image": pictures.calibration} if setting.errors == OUTPUTS else None,
        evaluation={"image": pictures.test[:1]},
        out=folder / f"{setting.name}.onnx",
        step_options={f"decompose.{name}": value for name, value in setting.options.items()},
    )
    seconds = time.process_time() - start
    details = result.run.steps[-1].notes.details
    dense, left = details["macs"]
    measured = {
        "ranks by": setting.rule,
        "error of": setting.errors,
        "% of multiplications": 100 * left / dense,
        **judged(folder / f"{setting.name}.onnx", pictures),
        "CPU s": seconds,
        "ranks": " ".join(str(layer["ranks"][0]) for layer in details["layers"].values()),
        "layer names": list(details["layers"]),
    }
    if setting.int8:
        measured |= quantized(folder / f"{setting.name}.onnx", pictures)
    return measured


def quantized(model: Path, pictures: Crops) -> dict[str, Any]:
    """Put recipe `int8` on top, in a file of its own, and judge that."""
    import onnxpress

    int8 = model.with_suffix(".int8.onnx")
    onnxpress.compress(
        model, data={"image": pictures.calibration[:8]}, evaluation={"image": pictures.test[:1]}, out=int8
    )
    return {"int8 overlap": judged(int8, pictures)["overlap"]}


def judged(model: Path, pictures: Crops) -> dict[str, Any]:
    """How well a model agrees with the network as it was."""
    agreement = edges.agreement(pictures.expected, found(model, pictures.test))
    return {"mean abs. error": agreement.error, "overlap": agreement.overlap, "correlation": agreement.correlation}


def measure(folder: Path) -> list[dict[str, Any]]:
    """A row for every setting, the first for the network as it is."""
    model = onnx_file("hed")
    pictures = crops(model)
    (folder / f"{DENSE}.onnx").write_bytes(model.read_bytes())
    rows = {
        DENSE: {
            "ranks by": DENSE,
            "error of": "",
            "% of multiplications": 100.0,
            **quantized(folder / f"{DENSE}.onnx", pictures),
        }
    }
    for setting in settings():
        rows[setting.name] = row(setting, model, pictures, folder)
        if setting.rule == AMCT:
            ranks = zip(rows[setting.name]["layer names"], rows[setting.name]["ranks"].split(), strict=True)
            given = [f"{layer}: {rank}" for layer, rank in ranks]
            same = Setting(rule=AMCT_RANKS, options={"policy": "ranks", "ranks": given})
            rows[same.name] = row(same, model, pictures, folder)
    add_times(rows, folder, pictures)
    return [{column: own.get(column) for column in COLUMNS} for own in rows.values()]


def add_times(rows: Mapping[str, dict[str, Any]], folder: Path, pictures: Crops) -> None:
    """Time all float files in turns, then all int8 ones, each over the dense one."""
    for suffix, column in ((".onnx", "time over dense"), (".int8.onnx", "int8 time over dense int8")):
        files = {name: path for name in rows if (path := folder / f"{name}{suffix}").exists()}
        times = latencies(files, {"image": pictures.test[:1]}, runs=1 if quick() else 5)
        for name, own in times.items():
            rows[name][column] = 1 / gain(times[DENSE], own)


def goals(rows: list[dict[str, Any]]) -> list[Goal]:
    """What the recipe is held to."""
    by_budget = dict(zip(BUDGETS, [own for own in rows if own["ranks by"] == BUDGET], strict=True))
    half, less = by_budget[0.5], by_budget[0.39]
    return [
        Goal("overlap at 39 % of the multiplications", 0.96, less["overlap"], at_least=True),
        Goal("overlap at 50 % of the multiplications", 0.98, half["overlap"], at_least=True),
        Goal("% of multiplications at budget 0.39, rounded", 39, round(less["% of multiplications"])),
        Goal("% of multiplications at budget 0.50, rounded", 50, round(half["% of multiplications"])),
        Goal("time over dense, float, at 0.50", 0.6, half["time over dense"]),
    ]


def main() -> None:
    """Measure, write, and draw."""
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder))
    write("decomposition", about=(__doc__ or "").strip(), rows=rows, goals=goals(rows))
    if not quick():
        draw([own for own in rows if own["ranks by"] != DENSE], PICTURE)


if __name__ == "__main__":
    main()
