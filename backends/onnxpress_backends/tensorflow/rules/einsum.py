"""Einsum: TensorFlow's takes two operands, an output that is spelt out, and no spaces.

The axes of an operand are letters, so an operand is taken as it lies: its letters are put into the order of memory.
Of three and more operands, two are joined at a time, keeping the letters that are still needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor

_KERNELS = (DType.BFLOAT16, DType.DOUBLE, DType.FLOAT, DType.HALF, DType.INT32, DType.INT64)


def einsum(call: Call) -> Tensor:
    """Einsum of any number of operands."""
    left, arrow, right = call.attribute("equation").replace(" ", "").partition("->")
    terms = left.split(",")
    output = right if arrow else _implied(terms)
    (term, tensor), *others = [_operand(call, index, term) for index, term in enumerate(terms)]
    if not others:
        return _written(call, [tensor], f"{term}->{output}")
    while others:
        (other, operand), *others = others
        joined = output if not others else _needed(term, other, [output, *(rest for rest, _ in others)])
        tensor = _written(call, [tensor, operand], f"{term},{other}->{joined}")
        term = joined
    return tensor


def _implied(terms: Sequence[str]) -> str:
    """The output of an equation without one: what the ellipsis stands for, then the letters that come once."""
    letters = Counter("".join(terms).replace(".", ""))
    return "..." * ("..." in "".join(terms)) + "".join(sorted(each for each, times in letters.items() if times == 1))


def _needed(first: str, second: str, rest: Sequence[str]) -> str:
    """What must be left of two operands for the others and the output."""
    later, here = set("".join(rest)), dict.fromkeys((first + second).replace(".", ""))
    ellipsis = "..." * ("..." in first + second)
    return ellipsis + "".join(letter for letter in here if letter in later)


def _operand(call: Call, index: int, term: str) -> tuple[str, Tensor]:
    """An operand and its letters in the order of memory."""
    tensor, layout = call.value(index).permuted
    if "..." in term or layout is None:
        return term, call.tensor(index)
    if len(term) != layout.rank:
        call.refuse(f"the equation has {len(term)} letters for input {index}, which has {layout.rank} axes")
    return "".join(term[axis] for axis in layout.perm), tensor


def _written(call: Call, operands: Sequence[Tensor], equation: str) -> Tensor:
    dtype = operands[0].dtype
    wide = dtype if dtype in _KERNELS else DType.INT64
    return call.cast(call.emit("Einsum", [call.cast(each, wide) for each in operands], equation=equation), dtype)


RULES: Mapping[str, Rule] = {
    "Einsum": einsum,
}
