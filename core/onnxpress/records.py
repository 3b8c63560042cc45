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
        files: Texts that belong with the model, by the ending of the file beside it that they go to.
    """

    counts: dict[str, int] = field(default_factory=dict)
    declined: list[Declined] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

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
class Simulation:
    """What the integers of a deploy model gave.

    Attributes:
        profile: Whose arithmetic.
        samples: How many were run.
        layers: Operators that the file has in integers.
        rolled_back: Those that run in floating point all the same.
        overflows: Accumulators that left 32 bits, by operator.
        comparisons: This model (B) against others (A), by what those are.
        accuracy: Share of the samples that are classified right; None without labels.
        outputs: The file with the outputs; None when none was asked for.
    """

    profile: str
    samples: int
    layers: int
    rolled_back: tuple[str, ...]
    overflows: Mapping[str, int]
    comparisons: Mapping[str, Comparison]
    accuracy: float | None = None
    outputs: str | None = None


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Time of one model: median and minimum of the timed runs, in milliseconds."""

    median_ms: float
    minimum_ms: float


@dataclass(frozen=True, kw_only=True)
class FloatNode:
    """A node that onnxruntime runs in float though the model is quantised.

    Attributes:
        node: Name in onnxruntime's optimised graph, which keeps the model's where it can.
        op_type: Its operator there, e.g. ``FusedConv``.
        reason: Why it is not integer.
        milliseconds: Its time per run.
        macs: Its multiply-accumulates per run.
    """

    node: str
    op_type: str
    reason: str
    milliseconds: float
    macs: int


@dataclass(frozen=True, kw_only=True)
class Kernels:
    """What onnxruntime made of a model: the nodes of its optimised graph, profiled, by kind.

    The kinds are ``integer`` (on 8-bit data), ``float``, ``convert`` (between the two, or between memory layouts) and
    ``other`` (shapes, indices, copies).

    Attributes:
        counts: Nodes of each kind.
        milliseconds: Time of each kind per run; the shares are profiled, the sum is the median latency.
        macs: Multiply-accumulates of each kind per run.
        product_ms: The part of `milliseconds` in nodes that multiply-accumulate.
        depthwise_ms: The part of `product_ms` in depthwise convolutions.
        operators: Nodes of each operator.
        float_nodes: The float nodes of a quantised model, slowest first.
    """

    counts: Mapping[str, int]
    milliseconds: Mapping[str, float]
    macs: Mapping[str, int]
    product_ms: Mapping[str, float]
    depthwise_ms: float = 0.0
    operators: Mapping[str, int] = field(default_factory=dict)
    float_nodes: tuple[FloatNode, ...] = ()


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
        kernels_a: What onnxruntime made of A.
        kernels_b: The same for B.
        explanation: Why B is not faster than it is, from what was measured; empty when there is nothing to explain.
        warnings: What may make the figures differ elsewhere.
    """

    threads: int
    batch: int
    runs: int
    a: Latency
    kernels_a: Kernels
    b: Latency | None = None
    ratio: float | None = None
    kernels_b: Kernels | None = None
    explanation: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PortShape:
    """Name, element type and shape of an input or output; a string or None stands for a dynamic dimension."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What is in a model.

    Attributes:
        inputs: What goes in.
        outputs: What comes out.
        operators: Nodes of each operator, subgraphs included, most frequent first; other domains as ``domain.Op``.
        nodes: Nodes in all.
        node_names: Name of each, empty where it has none, in the order of the graph.
        node_ops: Operator of each, in that order.
        parameters: Elements of all initialisers that are not quantisation parameters.
        bytes: Bytes of all initialisers.
        macs: Multiply-accumulates for one sample, dynamic dimensions taken as 1.
        macs_unknown: Nodes whose multiply-accumulates are unknown for want of shapes.
        quantized_share: Share of `macs` in operators with quantised data and weights; 0 in a float model.
        opsets: Version of each domain.
        ir_version: Version of the file format.
        producer: Program that wrote the model, with its version.
    """

    inputs: tuple[PortShape, ...]
    outputs: tuple[PortShape, ...]
    operators: Mapping[str, int]
    nodes: int
    node_names: tuple[str, ...]
    node_ops: tuple[str, ...]
    parameters: int
    bytes: int
    macs: int
    macs_unknown: int
    quantized_share: float
    opsets: Mapping[str, int]
    ir_version: int
    producer: str


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
        random_data: Whether the ranges were calibrated on made-up data and so mean nothing.
        recipe: The recipe as TOML text.
        versions: Package name to version.
        size_before: Bytes of the converted float model as ONNX.
        size_after: Bytes of what was written.
        files: Files written, in order.
    """

    source: str = ""
    random_data: bool = False
    recipe: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    steps: list[StepRecord] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    size_before: int | None = None
    size_after: int | None = None
    comparison: Comparison | None = None
    benchmark: Benchmark | None = None
    files: list[str] = field(default_factory=list)
