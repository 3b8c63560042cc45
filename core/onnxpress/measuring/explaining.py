"""Why a quantised model is slower than its float original, or hardly faster, in sentences made of measured facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxpress.records import Benchmark, FloatNode, Kernels

FAST_ENOUGH = 1.5
"""Speed-up from which on only what could still be gained is worth a sentence."""
_WORTH_A_SENTENCE = 0.1
_MUCH = 0.3
_TINY_NODE_US = 5


def explain(benchmark: Benchmark) -> tuple[str, ...]:
    """What keeps B from being faster than A; empty when there is no B or nothing stands out."""
    a, b, ratio = benchmark.kernels_a, benchmark.kernels_b, benchmark.ratio
    if b is None or ratio is None:
        return ()
    sentences = [*_float_share(b), *_conversion_share(b)]
    if ratio < FAST_ENOUGH:
        sentences = [*_not_quantized(b), *sentences, *_slow_products(a, b), *_tiny(benchmark, b)]
    return tuple(sentences)


def _not_quantized(b: Kernels) -> Iterator[str]:
    if not b.counts["integer"]:
        yield "onnxruntime runs no node of B in integer: it is not quantised, or nothing in it fits the fusion rules."


def _float_share(b: Kernels) -> Iterator[str]:
    share = b.milliseconds["float"] / _total(b)
    if not b.float_nodes or share < _WORTH_A_SENTENCE:
        return
    groups: dict[tuple[str, str], list[FloatNode]] = defaultdict(list)
    for node in b.float_nodes:
        groups[node.op_type, node.reason].append(node)
    slowest = sorted(groups.items(), key=lambda item: -sum(node.milliseconds for node in item[1]))[:3]
    worst = "; ".join(f"{len(nodes)} {op_type} ({why})" for (op_type, why), nodes in slowest)
    held = (
        f" and hold {b.macs['float'] / macs:.0%} of its multiply-accumulates" if (macs := sum(b.macs.values())) else ""
    )
    yield f"{len(b.float_nodes)} nodes stay float: they take {share:.0%} of B's time{held}. Most of it: {worst}."


def _conversion_share(b: Kernels) -> Iterator[str]:
    share = b.milliseconds["convert"] / _total(b)
    if share >= _WORTH_A_SENTENCE:
        yield (
            f"{b.counts['convert']} conversions between float and int8, or between memory layouts, take {share:.0%} of "
            "B's time."
        )


def _slow_products(a: Kernels, b: Kernels) -> Iterator[str]:
    before, after = sum(a.product_ms.values()), sum(b.product_ms.values())
    if not before or not b.counts["integer"]:
        return
    yield (
        f"Convolutions and matrix products take {before:.3g} ms in A and {after:.3g} ms in B "
        f"({before / after:.2f} times as fast), the rest {_total(a) - before:.3g} and {_total(b) - after:.3g} ms."
    )
    if b.depthwise_ms > _MUCH * after:
        yield (
            f"{b.depthwise_ms / after:.0%} of that in B is depthwise convolutions: {a.depthwise_ms:.3g} ms in A and "
            f"{b.depthwise_ms:.3g} ms in B; they move much data for little arithmetic, and int8 saves arithmetic."
        )


def _tiny(benchmark: Benchmark, b: Kernels) -> Iterator[str]:
    nodes, latency = sum(b.counts.values()), benchmark.b.median_ms if benchmark.b else 0.0
    each = latency * 1000 / max(nodes, 1)
    if nodes and each < _TINY_NODE_US:
        yield (
            f"B is so small ({latency:.3g} ms, {nodes} nodes, {each:.1f} us each) that the fixed cost "
            "of running a node, which int8 does not lower, weighs heavily; a larger batch or fewer nodes would help."
        )


def _total(kernels: Kernels) -> float:
    return sum(kernels.milliseconds.values()) or 1.0
