"""What is told of a decomposition: of every layer what became of it, of all together what they cost before and after.

    {"layers": {"conv1": {"form": "spatial", "first_axes": [0], "ranks": [32], "macs": [before, after],
                          "seconds": [before, after], "error": 0.01}, ...},
     "macs": [before, after], "seconds": [before, after], "clock": "modelled", "errors": "outputs"}

``error`` is relative, not squared.  The sums are over the layers that a stack could be made for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnxpress.decomposition import info
from onnxpress.decomposition.layer_stacks import Stack
from onnxpress.records import Notes
from onnxpress_plugins.decomposition.candidates import Candidate, Option


class Ledger:
    """The account.

    Args:
        notes: Where it goes.
        clock: How the time is told.
        errors: What errors are of.
    """

    def __init__(self, notes: Notes, *, clock: str, errors: str) -> None:
        self._notes = notes
        self._layers: dict[str, Any] = {}
        self._stacks: list[Stack] = []
        self._facts = {"clock": clock, "errors": errors}

    def enter(self, candidate: Candidate, option: Option, stack: Stack) -> None:
        """A layer is replaced."""
        self._notes.count(f"{candidate.node.op_type} decomposed ({stack.form})")
        self._stacks.append(stack)
        self._layers[candidate.layer.name] = {
            "form": stack.form,
            "first_axes": list(stack.first_axes),
            "ranks": list(stack.ranks),
            "macs": [candidate.macs, option.macs],
            "seconds": [candidate.seconds, option.seconds],
            "error": option.error**0.5,
        }

    @property
    def has_entries(self) -> bool:
        """Whether any layer was replaced."""
        return bool(self._stacks)

    def close(self, candidates: Sequence[Candidate]) -> None:
        """Sum up over all layers that could be replaced."""
        before = {"macs": sum(one.macs for one in candidates), "seconds": sum(one.seconds for one in candidates)}
        totals = {
            what: [total, total - sum(own[what][0] - own[what][1] for own in self._layers.values())]
            for what, total in before.items()
        }
        self._notes.details.update(layers=self._layers, **totals, **self._facts)
        for what, (total, left) in totals.items():
            if total and self._layers:
                name = "multiplications" if what == "macs" else f"{self._facts['clock']} time"
                layers = "1 layer" if len(candidates) == 1 else f"{len(candidates)} layers"
                self._notes.count(f"% of {name} left in {layers}", round(100 * left / total))
        self._notes.files[info.ENDING] = info.text(self._stacks)
