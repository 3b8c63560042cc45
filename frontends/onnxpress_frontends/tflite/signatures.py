"""Which graph of a file to convert, and what the user calls its inputs and outputs.

A signature names both.  Without one they are called after their tensors, less what TensorFlow puts around a name:
``serving_default_image:0`` is ``image``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from onnxpress.errors import InvalidModel, InvalidOption
from onnxpress_frontends.tflite.contents import Contents, Graph, Tensor

_DEFAULT = "serving_default"
_WRAPPING = re.compile(rf"^{_DEFAULT}_|:\d+$")


@dataclass(frozen=True, kw_only=True, eq=False)
class Chosen:
    """A graph, with a name for each of its inputs and for each output to keep, by index of the tensor.

    The key is that of the signature, None where the file has none.
    """

    key: str | None
    graph: Graph
    inputs: tuple[tuple[int, str], ...]
    outputs: tuple[tuple[int, str], ...]


def choose(contents: Contents, wanted: str | None) -> Chosen:
    """The graph of a signature: the one `wanted`, by default ``serving_default`` or the only one; else the main graph.

    Raises:
        InvalidModel: A signature leaves an input out, or the graph has no inputs or outputs.
        InvalidOption: There is no such signature, or one of several must be named.
    """
    by_key = {signature.key: signature for signature in contents.signatures}
    known = ", ".join(map(repr, sorted(by_key))) or "none"
    if wanted is not None and wanted not in by_key:
        raise InvalidOption(f"{contents.title!r} has no signature {wanted!r}; its signatures: {known}")
    key = wanted or (_DEFAULT if _DEFAULT in by_key else None)
    if key is None and len(by_key) > 1:
        raise InvalidOption(f"{contents.title!r} has several signatures, {known}; name one with option 'signature'")
    signature = by_key[key] if key is not None else next(iter(by_key.values()), None)
    if signature is None:
        graph = contents.graphs[0]
        inputs = _distinct(graph, graph.inputs, taken=set())
        outputs = _distinct(graph, graph.outputs, taken={name for _, name in inputs})
    else:
        graph = contents.graphs[signature.graph]
        if sorted(signature.inputs) != sorted(graph.inputs):
            raise InvalidModel(f"{contents.title!r} is corrupt: signature {signature.key!r} names other inputs")
        inputs = tuple((index, signature.inputs[index]) for index in graph.inputs)
        outputs = signature.outputs
    if not inputs or not outputs:
        raise InvalidModel(f"{contents.title!r} has {len(inputs)} inputs and {len(outputs)} outputs; needs both")
    return Chosen(key=None if signature is None else signature.key, graph=graph, inputs=inputs, outputs=outputs)


def _distinct(graph: Graph, indices: tuple[int, ...], *, taken: set[str]) -> tuple[tuple[int, str], ...]:
    named = []
    for index in indices:
        wish = name = tidied(graph.tensors[index])
        number = 0
        while name in taken:
            number += 1
            name = f"{wish}_{number}"
        taken.add(name)
        named.append((index, name))
    return tuple(named)


def tidied(tensor: Tensor) -> str:
    """The name of a tensor, of several joined by semicolons the first, without what TensorFlow wraps around it."""
    return _WRAPPING.sub("", tensor.name.partition(";")[0]) or "value"
