"""Ranks that operators demand of their inputs, for where nothing else tells them.

What PyTorch writes for ``squeeze`` is an If whose branches differ in rank, so that inference knows no rank from there
on, although the LSTM or the Conv that reads it takes only one.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call

_RECURRENT = {0: 3, 5: 3}
_DEMANDED: Mapping[str, Mapping[int, int]] = {
    "GRU": _RECURRENT,
    "Gemm": {0: 2, 1: 2},
    "LSTM": {**_RECURRENT, 6: 3},
    "RNN": _RECURRENT,
}
"""By operator and input."""

_LIKE_WEIGHTS = ("Conv", "ConvTranspose")
"""Operators whose first input has the rank of the second."""


def settle_ranks(call: Call) -> None:
    """Give the inputs of a node whose rank is not known the one that its operator takes.

    Args:
        call: The node.
    """
    if call.node.domain:
        return
    for index, rank in _DEMANDED.get(call.node.op_type, {}).items():
        if call.has(index):
            call.value(index).settle(rank)
    if call.node.op_type in _LIKE_WEIGHTS and call.value(1).shape is not None:
        call.value(0).settle(call.rank(1))
