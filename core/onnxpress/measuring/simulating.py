"""What the integers of an Ascend deploy model give on samples, beside exact arithmetic and beside another model."""

from __future__ import annotations

import operator
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress.ascend import deploy_files
from onnxpress.ascend.layers import layers
from onnxpress.ascend.simulation.profiles import Profile, find_profile
from onnxpress.ascend.simulation.rolling_back import is_rolled_back
from onnxpress.ascend.simulation.simulator import Simulator
from onnxpress.errors import InvalidData, InvalidOption
from onnxpress.files import atomic, check_place
from onnxpress.kinds import Frontend, Progress, Runner, Silent
from onnxpress.measuring.comparing import Tally
from onnxpress.measuring.matching import batch_size, match
from onnxpress.measuring.sources import check_labels, labels_of, open_samples, reading
from onnxpress.model_sources import find_frontend, open_runner
from onnxpress.options import share
from onnxpress.records import Comparison, Simulation
from onnxpress.registry import Registry

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress.data import Samples
    from onnxpress.kinds import Array

EXACT = "rint"
"""The profile that others are compared with."""

_ITSELF = ""
"""What the simulator is called among what it is compared with, for figures of its own."""


def simulate_source(
    source: Path,
    *,
    profile: str = "device",
    data: Any = None,
    labels: Any = None,
    preprocessing: Any = None,
    random_data: bool = False,
    against: Any = None,
    probes: Sequence[str] = (),
    out: Path | None = None,
    threads: int | None = None,
    frontend: str | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Simulation:
    """Run a deploy file with the arithmetic of a profile, and compare it with `EXACT` arithmetic.

    Args:
        source: The deploy file.
        profile: Whose arithmetic, see `onnxpress.ascend.simulation.profiles`.
        data: Samples, in any form `onnxpress.data.load` takes.
        labels: Class of each sample, for accuracy.
        preprocessing: How image files become arrays.
        random_data: Run on noise when there are no data.
        against: Another model to compare with, the float one for example: anything `convert` takes.
        probes: Values inside the model that are to be written, too.
        out: Where outputs and probes go, an ``.npz`` file.
        threads: Intra-op threads of onnxruntime.
        frontend: Name of the frontend that reads `against`; None lets the frontends say which accepts it.
        registry: The plugins; None loads the installed ones.
        progress: Shows how far the work is.
        **options: Options of the frontend that reads `against`.

    Raises:
        OnnxpressError: Anything a user can act on; the message is one sentence.
    """
    progress = progress or Silent()
    _check_out(out, probes)
    model, chosen = deploy_files.load(Path(source)), find_profile(profile)
    simulator = Simulator(model, chosen, threads=threads, probes=probes)
    references: dict[str, Runner] = {}
    if chosen.name != EXACT:
        references[f"profile {EXACT}"] = Simulator(model, EXACT, threads=threads)
    if against is not None:
        reader = find_frontend(against, registry or Registry(), frontend)
        references[str(against)] = _opened(against, reader, options, threads, progress)
    samples = open_samples(data, simulator.inputs, preprocessing, random_data)
    if samples is None:
        raise InvalidData("a simulation needs samples; give --data PATH, or --random-data to run on noise")
    classes = labels_of(labels)
    check_labels(classes, samples)
    kept = _Kept(out)
    measured = _measure(simulator, references, samples, classes, progress, kept)
    kept.write()
    return Simulation(
        profile=chosen.name,
        overflows=dict(simulator.overflows),
        comparisons={name: measured[name] for name in references},
        samples=measured[_ITSELF].samples,
        accuracy=measured[_ITSELF].accuracy_b,
        outputs=None if out is None else str(out),
        **_layers(model, chosen),
    )


def _opened(
    source: Any, reader: Frontend, options: Mapping[str, Any], threads: int | None, progress: Progress
) -> Runner:
    (own,) = share(options, reading(reader))
    return open_runner(source, reader, own, progress, threads=threads)


def _layers(model: ir.Model, profile: Profile) -> dict[str, Any]:
    """How many layers there are, and which are rolled back."""
    found = list(layers(model))
    gone = [layer.cube.name or "" for layer in found if profile.rolls_back and is_rolled_back(layer)]
    return {"layers": len(found), "rolled_back": tuple(gone)}


def _measure(
    simulator: Simulator,
    references: Mapping[str, Runner],
    samples: Samples,
    labels: Sequence[int] | None,
    progress: Progress,
    kept: _Kept,
) -> dict[str, Comparison]:
    """The simulator against every reference and against itself."""
    runners: dict[str, Runner] = {_ITSELF: simulator, **references}
    tallies = {name: Tally(runner.outputs, simulator.outputs, labels=labels) for name, runner in runners.items()}
    inputs = {name: match(simulator.inputs, runner.inputs, "input") for name, runner in references.items()}
    with progress.task(f"simulate ({simulator.profile.name})", operator.length_hint(samples) or None) as advance:
        for feeds in samples:
            results, size = simulator.run(feeds), batch_size(feeds)
            kept.add(results)
            tallies[_ITSELF].update(results, results, size)
            for name, reference in references.items():
                others = reference.run({inputs[name][key]: array for key, array in feeds.items()})
                tallies[name].update(others, results, size)
            advance()
    return {name: tally.result() for name, tally in tallies.items()}


class _Kept:
    """The results of all batches, for a file; none where there is no file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._arrays: dict[str, list[Array]] = {}

    def add(self, results: Mapping[str, Array]) -> None:
        if self._path is not None:
            for name, array in results.items():
                self._arrays.setdefault(name, []).append(np.atleast_1d(array))

    def write(self) -> None:
        if self._path is None:
            return
        with atomic(self._path) as staged, zipfile.ZipFile(staged, "w") as archive:
            for name, arrays in self._arrays.items():  # numpy's savez takes no array called "file"
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.concatenate(arrays), allow_pickle=False)


def _check_out(out: Path | None, probes: Sequence[str]) -> None:
    if probes and out is None:
        raise InvalidOption("--probe names what goes into a file; give --out FILE.npz")
    if out is not None and out.suffix != ".npz":
        raise InvalidOption(f"--out is a .npz file, not {out.name!r}")
    if out is not None:
        check_place(out)
