"""CPU time, memory and error of splitting a kernel in two, arrays alone: against AMCT's method and tensorly.

AMCT's method is what its documentation and behaviour say, written anew: ``numpy.linalg.svd`` in float64 with full
matrices, once for the singular values, which give the rank, and once more for the vectors.  onnxpress splits at half of
the multiplications, which is a higher rank than AMCT's.  One thread, unless the row says two; CPU time, and what the
clock said beside it, on a machine that may have been busy.

The optimum, from all eigenvalues in float64, is the least error at the same rank; of whitened kernels it is that of the
output.  Of Tucker-2 no optimum is known: tensorly's error stands in its place.  Noise is the hardest weight to split;
"falling" has singular values like those of trained kernels.  AMCT's method takes 5 to 15 minutes on each of the three
largest kernels: it runs up to a side of 3072 (``--long``: 6144), beyond that its time is extrapolated by the cube of
the side, which what it was measured to take exceeds.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from costs import Cost, in_child, resident_mb, run_child
from results import Goal, quick, write

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

SHAPES = [(512, 3), (512, 5), (1024, 3), (1024, 5), (2048, 3), (2048, 5)]
SMALL = [(64, 3), (128, 3)]
FALLING = (1024, 3)
LARGEST = SHAPES[-1]
"""Channels, on either side, and size of the kernel."""

AMCT_SIDE, TENSORLY_SIDE, WHITENED_OPTIMUM_SIDE = 6144 if "--long" in sys.argv else 3072, 2560, 6144
SPATIAL, WHITENED, TUCKER, AMCT, TENSORLY = "spatial", "spatial, whitened", "tucker2", "AMCT's method", "tensorly"
OVER = "% over optimum"


def kernel(channels: int, size: int, kind: str) -> Array:
    """float32 ``(channels, channels, size, size)``."""
    random, side = np.random.default_rng(0), channels * size
    noise = random.standard_normal((channels, channels, size, size), dtype=np.float32)
    if kind == "noise":
        return noise
    left, right = (random.standard_normal((side, 512), dtype=np.float32) for _ in range(2))
    matrix = (left * np.arange(1, 513, dtype=np.float32) ** -0.5) @ right.T / np.sqrt(np.float32(side))
    trained = matrix.reshape(channels, size, channels, size).transpose(0, 2, 3, 1)
    share = np.linalg.norm(trained) / np.linalg.norm(noise)
    return np.ascontiguousarray(trained + np.float32(0.3 * share) * noise)


def covariance(channels: int, size: int) -> Array:
    """Of patches of ``size x 1``: channels of falling variance, alike where they are near, and smooth pictures."""
    apart = [np.abs(np.subtract.outer(np.arange(count), np.arange(count))) for count in (channels, size)]
    spread = np.arange(1, channels + 1) ** -0.5
    of_channels, of_taps = 0.7 ** apart[0] * np.outer(spread, spread), 0.9 ** apart[1]
    return np.asarray(np.kron(of_channels.astype(np.float32), of_taps.astype(np.float32)), np.float32)


def rank_of(channels: int, size: int, method: str) -> int:
    """The rank at which half of the multiplications are left."""
    if method in (TUCKER, TENSORLY):
        taps = size**2
        return int(channels * ((1 + taps**2 / 2) ** 0.5 - 1) / taps)
    return channels * size // 4


def amct_method(matrix: Array, channels: int) -> tuple[Array, Array]:
    """What AMCT's Python and C++ do with an unfolded kernel."""
    from onnxpress.decomposition.noise_ranks import amct

    wide = matrix.astype(np.float64)
    _, values, _ = np.linalg.svd(wide, full_matrices=True)
    vectors, _, _ = np.linalg.svd(wide, full_matrices=True)
    leading = vectors[:, : amct(values, *matrix.shape, channels=channels)]
    return leading, leading.T @ wide


def split(weight: Array, method: str) -> Callable[[], tuple[Array, ...]]:
    """A method, ready to run."""
    from onnxpress.decomposition import spatial, tucker2

    channels, size = weight.shape[1:3]
    rank = rank_of(channels, size, method)
    if method == AMCT:
        return lambda: amct_method(weight.transpose(1, 2, 0, 3).reshape(channels * size, -1), channels)
    if method == TENSORLY:
        from tensorly.decomposition import partial_tucker

        def tensorly() -> tuple[Array, ...]:
            (core, (last, first)), _ = partial_tucker(weight, rank=[rank, rank], modes=[0, 1])
            return first.T[:, :, None, None], core, last[:, :, None, None]

        return tensorly
    if method == TUCKER:
        return lambda: tucker2(weight, (rank, rank), sweeps=2)
    moments = covariance(channels, size) if method == WHITENED else None
    return lambda: spatial(weight, rank, covariance=moments)


def child(*, channels: int, size: int, kind: str, method: str, out: str) -> Cost:
    """Split one kernel and keep what came of it."""
    run = split(kernel(channels, size, kind), method)
    cost = Cost(idle_mb=resident_mb())
    with cost.timed():
        parts = run()
    np.savez(out, *parts)
    return cost


def energies(weight: Array, method: str) -> Array:
    """Squared singular values of what is split, descending, in float64."""
    from onnxpress.decomposition.forms import root_of
    from onnxpress.decomposition.triangular_roots import whiten
    from onnxpress.decomposition.unfoldings import Unfolding

    gram = Unfolding(weight, [0]).gram(of_rows=False, dtype=np.float64)
    if method == WHITENED:
        whiten(gram, root_of(covariance(*weight.shape[1:3])).astype(np.float64))
    return np.linalg.eigvalsh(gram)[::-1]


def error(weight: Array, parts: list[Array], method: str) -> float:
    """Relative error of the product of parts, of the output where they are whitened."""
    channels, size = weight.shape[1:3]
    if method == AMCT:
        parts = [part.astype(np.float32) for part in parts]
        matrix = weight.transpose(1, 2, 0, 3).reshape(channels * size, -1)
        apart = matrix - parts[0] @ parts[1]
    elif len(parts) == 3:
        first, core, last = (np.squeeze(part) for part in parts)
        matrix = weight.reshape(channels, -1)
        turned = np.tensordot(core, first, (1, 0)).transpose(0, 3, 1, 2).reshape(len(core), -1)
        apart = matrix - last @ turned
    else:
        first, last = parts
        matrix = weight.transpose(0, 3, 1, 2).reshape(channels * size, -1)
        rows = last.transpose(0, 3, 1, 2).reshape(channels * size, -1)
        apart = matrix - rows @ first.reshape(len(first), -1)
    if method == WHITENED:
        from onnxpress.decomposition.forms import root_of

        root = root_of(covariance(channels, size))
        apart, matrix = apart @ root, matrix @ root
    return float(np.linalg.norm(apart.ravel()) / np.linalg.norm(matrix.ravel()))


def measured(channels: int, size: int, kind: str, method: str, *, threads: int = 1) -> dict[str, Any]:
    """The row of one case, as far as it is known by itself."""
    os.environ |= {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "parts.npz"
        case = {"channels": channels, "size": size, "kind": kind, "method": method, "out": str(out)}
        cost = in_child(__file__, case)
        with np.load(out) as kept:
            parts = list(kept.values())
    return {
        "kernel": f"({channels}, {channels}, {size}, {size})",
        "weights": kind,
        "method": method if threads == 1 else f"{method}, {threads} threads",
        "rank": parts[0].shape[1] if method == AMCT else len(parts[0]),
        "CPU s": cost.cpu_seconds,
        "wall s": cost.wall_seconds,
        "peak MB": cost.peak_mb,
        "error": error(kernel(channels, size, kind), parts, method),
    }


def excess(found: float, least: float) -> float:
    """Per cent."""
    return 100 * (found / least - 1)


def methods_for(channels: int, size: int, kind: str) -> list[str]:
    """What runs on a kernel, in this order."""
    side, others = channels * size, [WHITENED, TUCKER] if kind == "noise" else [WHITENED]
    return [
        SPATIAL,
        *others,
        *([AMCT] if side <= AMCT_SIDE and kind == "noise" else []),
        *([TENSORLY] if side <= TENSORLY_SIDE and kind == "noise" else []),
    ]


def compared(channels: int, size: int, kind: str) -> list[dict[str, Any]]:
    """The rows of one kernel."""
    rows = [measured(channels, size, kind, method) for method in methods_for(channels, size, kind)]
    if (channels, size) == LARGEST:
        rows.insert(1, measured(channels, size, kind, SPATIAL, threads=2))
    for method in (SPATIAL, WHITENED):
        if method == WHITENED and channels * size > WHITENED_OPTIMUM_SIDE:
            continue
        squares = energies(kernel(channels, size, kind), method)
        for row in rows:
            if row["method"].startswith(method) and ("whitened" in row["method"]) == (method == WHITENED):
                row[OVER] = excess(row["error"], float(np.sqrt(squares[row["rank"] :].sum() / squares.sum())))
    found = {row["method"]: row for row in rows}
    if TENSORLY in found:
        found[TUCKER][OVER] = excess(found[TUCKER]["error"], found[TENSORLY]["error"])
    return rows


def main() -> None:
    """Split every kernel in every way."""
    rows: list[dict[str, Any]] = []
    goals = []
    amct = (0, 0.0)
    for channels, size in SMALL if quick() else SHAPES:
        own = compared(channels, size, "noise")
        side = channels * size
        amct = next(((side, row["CPU s"]) for row in own if row["method"] == AMCT), amct)
        reference = amct[1] * (side / amct[0]) ** 3
        for row in own:
            row["AMCT's time over this"] = reference / row["CPU s"]
        rows += own
        name = own[0]["kernel"]
        how = "" if amct[0] == side else " (extrapolated)"
        goals.append(Goal(f"{name}: AMCT's CPU s{how} over ours", 10, own[0]["AMCT's time over this"], at_least=True))
        goals.append(Goal(f"{name}: error, {OVER}", 1, own[0][OVER]))
    if not quick():
        rows += compared(*FALLING, "falling")
        goals.append(Goal(f"{rows[-2]['kernel']}, falling: error, {OVER}", 1, rows[-2][OVER]))
        largest = next(row for row in rows if row["method"] == f"{SPATIAL}, 2 threads")
        goals.append(Goal("the largest: CPU s of each of two threads", 40, largest["CPU s"] / 2))
        goals.append(Goal("the largest: peak MB", 2000, largest["peak MB"]))
    write("factorization", about=__doc__ or "", rows=rows, goals=goals)


if __name__ == "__main__" and not run_child(child):
    main()
