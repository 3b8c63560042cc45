"""Why a compressed model is slower than the original, or hardly faster, in sentences made of measured facts."""

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
_AS_MANY = 0.02


def explain(benchmark: Benchmark) -> tuple[str, ...]:
    """What keeps B from being faster than A; empty when there is no B or nothing stands out."""
    a, b, ratio = benchmark.kernels_a, benchmark.kernels_b, benchmark.ratio
    if b is None or ratio is None:
        return ()
    sentences = [*_float_share(b), *_conversion_share(b)]
    if ratio < FAST_ENOUGH:
        sentences = [*_not_integer(a, b), *sentences, *_slow_products(a, b), *_tiny(benchmark, b)]
    return tuple(sentences)


def _is_quantized(kernels: Kernels) -> bool:
    return bool(kernels.counts["integer"]) or any(name.lower().endswith("quantizelinear") for name in kernels.operators)


def _not_integer(a: Kernels, b: Kernels) -> Iterator[str]:
    if b.counts["integer"]:
        return
    if _is_quantized(b):
        yield "onnxruntime runs no node of B in integer, though it is quantised: nothing in it fits the fusion rules."
    elif a.counts["integer"]:
        yield "B is not quantised: onnxruntime runs nodes of A in integer, and none of B."
    elif (share := _share_of_macs(a, b)) is not None:
        much = "as many multiply-accumulates as A" if _is_one(share) else f"{share:.0%} of A's multiply-accumulates"
        yield f"B is not quantised: like A it runs in float, and it does {much}."


def _share_of_macs(a: Kernels, b: Kernels) -> float | None:
    before = sum(a.macs.values())
    return sum(b.macs.values()) / before if before else None


def _is_one(share: float) -> bool:
    return abs(share - 1) < _AS_MANY


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
        kinds = "float and int8, or between memory layouts," if _is_quantized(b) else "types or memory layouts"
        yield f"{b.counts['convert']} conversions between {kinds} take {share:.0%} of B's time."


def _slow_products(a: Kernels, b: Kernels) -> Iterator[str]:
    before, after = sum(a.product_ms.values()), sum(b.product_ms.values())
    share = _share_of_macs(a, b)
    if not before or not after or not (b.counts["integer"] or (share is not None and not _is_one(share))):
        return
    yield (
        f"Convolutions and matrix products take {before:.3g} ms in A and {after:.3g} ms in B "
        f"({before / after:.2f} times as fast), the rest {_total(a) - before:.3g} and {_total(b) - after:.3g} ms."
    )
    if b.counts["integer"] and b.depthwise_ms > _MUCH * after:
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
            f"of running a node{', which int8 does not lower,' if _is_quantized(b) else ''} weighs heavily; a larger "
            "batch or fewer nodes would help."
        )


def _total(kernels: Kernels) -> float:
    return sum(kernels.milliseconds.values()) or 1.0
