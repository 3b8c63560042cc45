"""What happened in a run, as plain data that a report renders: notes of a pass, steps, figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True)
class Declined:
    """A node that a pass looked at and left alone, and why."""

    node: str
    op_type: str
    reason: str


@dataclass
class Notes:
    """What a pass says of its own work; one per step.

    Attributes:
        counts: What was done and how often, e.g. ``{"BatchNormalization folded into Conv": 53}``.
        declined: Candidates that were left alone, in graph order.
        warnings: Sentences the user must see.
        details: JSON-able facts for the report, e.g. the number of samples.
    """

    counts: dict[str, int] = field(default_factory=dict)
    declined: list[Declined] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def count(self, what: str, number: int = 1) -> None:
        """Add `number` to the tally called `what`."""
        if number:
            self.counts[what] = self.counts.get(what, 0) + number

    def decline(self, node: ir.Node, reason: str) -> None:
        """Record that `node` was left alone for `reason`."""
        self.declined.append(Declined(node.name or "", node.op_type, reason))

    def warn(self, message: str) -> None:
        """Record a sentence the user must see."""
        self.warnings.append(message)


@dataclass(frozen=True, kw_only=True)
class OutputDifference:
    """How output `name` of model B differs from that of model A over all samples.

    Attributes:
        max_abs: Largest absolute difference.
        mean_abs: Mean absolute difference.
        max_relative: `max_abs` over the largest magnitude of A.
        sqnr_db: ``10 log10(sum a^2 / sum (a - b)^2)`` in decibels; infinite when equal.
        cosine: Cosine similarity of the flattened outputs.
        top1_agreement: Share of rows whose arg-max agrees; None when the output is no score vector.
    """

    name: str
    max_abs: float
    mean_abs: float
    max_relative: float
    sqnr_db: float
    cosine: float
    top1_agreement: float | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Model B against model A on the same samples.  Accuracies are shares of 1, None without labels."""

    samples: int
    outputs: tuple[OutputDifference, ...]
    accuracy_a: float | None = None
    accuracy_b: float | None = None


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Time of one model: median and minimum of the timed runs, in milliseconds."""

    median_ms: float
    minimum_ms: float


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Latency of A and B, run interleaved in one process, and what onnxruntime made of each.

    Attributes:
        threads: Intra-op threads.
        batch: Batch size.
        runs: Timed runs per model.
        a: Latency of the first model.
        b: Latency of the second; None when only one was given.
        ratio: Median latency of A over that of B (above 1: B is faster); None without B.
        kernels_a: Nodes of A's optimised graph by kind: ``{"integer": .., "float": .., "convert": ..}``.
        kernels_b: The same for B.
        float_nodes_b: ``"name (op): reason"`` of the compute nodes that stayed float in B.
    """

    threads: int
    batch: int
    runs: int
    a: Latency
    b: Latency | None = None
    ratio: float | None = None
    kernels_a: Mapping[str, int] = field(default_factory=dict)
    kernels_b: Mapping[str, int] = field(default_factory=dict)
    float_nodes_b: tuple[str, ...] = ()


@dataclass
class StepRecord:
    """One pass of a run, and what became of it."""

    name: str
    options: dict[str, Any]
    notes: Notes = field(default_factory=Notes)
    modified: bool = False
    seconds: float = 0.0
    nodes_before: int = 0
    nodes_after: int = 0


@dataclass
class Run:
    """A model's way through a recipe, with every figure a report shows.

    Attributes:
        source: What the user gave: a path, or the type of an in-memory model.
        recipe: The recipe as TOML text.
        versions: Package name to version.
        size_before: Bytes of the converted float model as ONNX.
        size_after: Bytes of what was written.
        files: Files written, in order.
    """

    source: str = ""
    recipe: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    steps: list[StepRecord] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    size_before: int | None = None
    size_after: int | None = None
    comparison: Comparison | None = None
    benchmark: Benchmark | None = None
    files: list[str] = field(default_factory=list)
