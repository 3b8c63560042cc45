"""How long a layer takes, and any stack in its place: measured, or by a model of the processor.

Time does not go with multiplications: narrow convolutions wait for memory, and onnxruntime computes channels in blocks
of 16, so that a rank costs as the next multiple does.  Two clocks tell it.

`timing.Measured` times the layer alone in onnxruntime.  Between two measured ranks time is affine in the number of
blocks, so that every distinct layer needs three timings.

`Modelled` knows nothing of the machine at hand:

    t = a * multiplications, channels in blocks of 16, + b * bytes read and written + c for each part

with constants that were fitted to 190 stacks on an AVX-512 processor (float: 197 GF/s and 23 GB/s, int8: 700 and 11).
Ratios of its times are within 0.03 (int8: 0.06) of measured ones from 64 channels on; those of multiplications are 0.09
(0.17) off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING, Literal, Protocol

from onnxpress.decomposition.layer_stacks import Layer, Part, Stack
from onnxpress_plugins.decomposition.ways import Way

if TYPE_CHECKING:
    from onnxpress_plugins.decomposition.speed.workload import Workload

Precision = Literal["float32", "int8"]
"""What layers will be run in."""

BLOCK = 16
"""Channels that are computed together."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One convolution, or product with a matrix, at the sizes it is run.

    Attributes:
        weight_shape: ``(outputs, inputs, *kernel)``.
        strides: For each axis of the kernel.
        dilations: For each axis of the kernel.
        repeats: Samples of a batch; rows that a matrix multiplies.
        sizes_in: Of the input, for each axis of the kernel.
        sizes_out: Of the output, for each axis of the kernel.
    """

    weight_shape: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    repeats: int
    sizes_in: tuple[int, ...]
    sizes_out: tuple[int, ...]


class Clock(Protocol):
    """Tells how long jobs take."""

    @property
    def label(self) -> str:
        """How it knows: measured, modelled."""

    @property
    def model(self) -> Modelled:
        """What tells how time goes from one stack to another where measuring all would take too long."""

    def seconds(self, jobs: Sequence[Job]) -> float:
        """Seconds of one thread for these jobs, each of which takes what the one before gives."""


@dataclass(frozen=True, kw_only=True)
class Modelled:
    """The model of the processor.

    Attributes:
        giga_mac: Seconds for 1e9 multiplications.
        gigabyte: Seconds for 1e9 bytes.
        job: Seconds for each job.
        itemsize: Bytes of a number.
    """

    giga_mac: float = 10.1626e-3
    gigabyte: float = 43.32e-3
    job: float = 1.03e-6
    itemsize: int = 4

    @property
    def label(self) -> str:
        """As `Clock` says."""
        return "modelled"

    @property
    def model(self) -> Modelled:
        """As `Clock` says."""
        return self

    def seconds(self, jobs: Sequence[Job]) -> float:
        """As `Clock` says."""
        return sum(self._seconds(job) for job in jobs)

    def _seconds(self, job: Job) -> float:
        outputs, inputs, *kernel = job.weight_shape
        before, behind = (job.repeats * prod(sizes) for sizes in (job.sizes_in, job.sizes_out))
        macs = behind * prod(kernel) * _blocks(inputs) * _blocks(outputs) * BLOCK**2
        numbers = before * inputs + behind * outputs + prod(job.weight_shape)
        return self.giga_mac * macs / 1e9 + self.gigabyte * numbers * self.itemsize / 1e9 + self.job


INT8 = Modelled(giga_mac=2.8591e-3, gigabyte=91.58e-3, job=1.84e-6, itemsize=1)
"""The model for layers that will be quantised."""

MODELS: Mapping[Precision, Modelled] = {"float32": Modelled(), "int8": INT8}


def jobs_of(stack: Stack, work: Workload) -> tuple[Job, ...]:
    """What a stack does, part by part."""
    return tuple(job_of(part, own) for part, own in work.shared_out(stack))


def job_of(one: Layer | Part, work: Workload) -> Job:
    """What a layer does as it is, or a part of a stack."""
    return Job(
        weight_shape=one.weight_shape,
        strides=one.strides,
        dilations=one.dilations,
        repeats=work.repeats,
        sizes_in=work.sizes_in,
        sizes_out=work.sizes_out,
    )


def stack_seconds(clock: Clock, stacks: Sequence[Stack], work: Workload) -> list[float]:
    """What each stack takes in place of the same layer.

    Two ranks of a way are asked of the clock, the others lie on a line with them.  A stack of three parts has two
    ranks, whose product counts: the model tells how time goes from stack to stack, and the clock that of the largest.
    """
    found: dict[Stack, float] = {}
    for way in dict.fromkeys(Way.of(stack) for stack in stacks):
        own = [stack for stack in stacks if Way.of(stack) == way]
        found |= _in_proportion(clock, own, work) if len(own[0].ranks) > 1 else _on_a_line(clock, way, own, work)
    return [found[stack] for stack in stacks]


def _on_a_line(clock: Clock, way: Way, stacks: Sequence[Stack], work: Workload) -> dict[Stack, float]:
    layer = stacks[0].layer
    narrow = way.stack(layer, (BLOCK,))
    blocks = max(round(work.dense(layer) / work.of(narrow) / 2), 2)
    first = clock.seconds(jobs_of(narrow, work))
    wide = clock.seconds(jobs_of(way.stack(layer, (blocks * BLOCK,)), work))
    slope = max(wide - first, 0.0) / (blocks - 1)
    return {stack: first + slope * (_blocks(stack.ranks[0]) - 1) for stack in stacks}


def _in_proportion(clock: Clock, stacks: Sequence[Stack], work: Workload) -> dict[Stack, float]:
    modelled = {stack: clock.model.seconds(jobs_of(stack, work)) for stack in stacks}
    largest = max(stacks, key=lambda stack: modelled[stack])
    scale = clock.seconds(jobs_of(largest, work)) / modelled[largest]
    return {stack: scale * seconds for stack, seconds in modelled.items()}


def _blocks(channels: int) -> int:
    return ceil(channels / BLOCK)
