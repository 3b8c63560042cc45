"""Where a graph begins for its outputs: at placeholders, or where an input pipeline ends.

A walk back from the outputs stops at whatever is fed from outside: placeholders, what iterators and queues hand out,
and what decoders and parsers make of strings.  A scalar placeholder with a default (a rate, a size) is no input: it
takes its default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from onnxpress.errors import InvalidOption
from onnxpress_frontends.opening.graphs.names import attribute, listed, tensor_name
from onnxpress_frontends.reachability import source_of

PLACEHOLDERS = frozenset(("Placeholder", "PlaceholderV2"))
_OPTIONAL = "PlaceholderWithDefault"
_HANDING_OUT = re.compile(r"IteratorGetNext(Sync)?|Unstage|QueueDequeue(Many|UpTo)?(V2)?")
_READING_STRINGS = re.compile(
    r"ReaderRead(UpTo)?(V2)?|Parse(Single)?(Sequence)?Example(V2)?|ParseTensor|StringToNumber"
    r"|Decode(Raw|PaddedRaw|CSV|Wav|Image|Jpeg|AndCropJpeg|Png|Bmp|Gif)"
)


def comes_from_outside(node: Any) -> bool:
    """Whether a node is a placeholder, with or without a default, or the end of an input pipeline."""
    return node.op in PLACEHOLDERS or node.op == _OPTIONAL or ends_pipeline(node)


def ends_pipeline(node: Any) -> bool:
    """Whether a node hands out what a pipeline has read, or makes numbers of strings."""
    return bool(_HANDING_OUT.fullmatch(node.op) or _READING_STRINGS.fullmatch(node.op))


def find_inputs(graph: Any, outputs: Iterable[str], title: str) -> list[str]:
    """The tensors that `outputs` need from outside, in the order of the graph.

    Raises:
        InvalidOption: There are none, or a pipeline could be cut at several places; candidates are listed.
    """
    nodes = {node.name: node for node in graph.node}
    placed, piped = _starts(nodes, outputs)
    if len({source_of(tensor) for tensor in piped}) > 1 or _from_strings(piped, nodes):
        raise InvalidOption(
            f"{title} reads its inputs through a pipeline that has no ONNX form; name the tensors behind it with option"
            f" 'inputs' (candidates: {listed([*placed, *piped])})"
        )
    if placed or piped:
        return [*placed, *piped]
    constant = {name for name, node in nodes.items() if node.op == "Const"}
    starts = [name for name, node in nodes.items() if name not in constant and constant.issuperset(_sources(node))]
    raise InvalidOption(
        f"{title}: the outputs depend on no placeholder; name the inputs with option 'inputs'"
        f" (candidates: {listed(starts)})"
    )


def take_defaults(graph: Any, inputs: Sequence[str]) -> None:
    """Have every placeholder that is not in `inputs` give its default, in place."""
    fed = {source_of(tensor) for tensor in inputs}
    for node in graph.node:
        if node.op == _OPTIONAL and node.name not in fed:
            kind = node.attr["dtype"].type
            node.op = "Identity"
            node.attr.clear()
            node.attr["T"].type = kind


def _starts(nodes: dict[str, Any], outputs: Iterable[str]) -> tuple[list[str], list[str]]:
    placed, piped = set[str](), set[str]()
    pending, seen = list(outputs), set[str]()
    while pending:
        tensor = tensor_name(pending.pop())
        node = nodes.get(source_of(tensor))
        if node is None or tensor in seen:
            continue
        seen.add(tensor)
        if node.op in PLACEHOLDERS or (node.op == _OPTIONAL and _has_axes(node)):
            placed.add(tensor)
        elif ends_pipeline(node):
            piped.add(tensor)
        else:
            pending += [name for name in node.input if not name.startswith("^")]
    order = {name: index for index, name in enumerate(nodes)}
    return _sorted(placed, order), _sorted(piped, order)


def _sorted(tensors: Iterable[str], order: dict[str, int]) -> list[str]:
    return sorted(tensors, key=lambda tensor: (order[source_of(tensor)], int(tensor.rpartition(":")[2])))


def _has_axes(node: Any) -> bool:
    shape = attribute(node, "shape").shape
    return bool(shape.dim) or shape.unknown_rank


def _from_strings(piped: list[str], nodes: dict[str, Any]) -> bool:
    """Whether several tensors come out of one parser: each of its features is an input of its own."""
    return len(piped) > 1 and _READING_STRINGS.fullmatch(nodes[source_of(piped[0])].op) is not None


def _sources(node: Any) -> set[str]:
    return {source_of(name) for name in node.input if not name.startswith("^")}
