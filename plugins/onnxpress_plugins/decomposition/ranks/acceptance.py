"""Whether a layer is worth replacing: it must stay true enough, and become fast enough.

A compact network has layers whose rank is nearly full; cutting them costs accuracy and gains nothing.  Such a layer
stays dense, and the reason is what the report says of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """What a replacement must keep to.

    Attributes:
        max_error: Largest relative error of the layer, of its output where data are given, of its weight otherwise.
        min_gain: Smallest share of its time that must be saved.
    """

    max_error: float
    min_gain: float

    def objection(self, *, error: float, dense: float, replaced: float) -> str | None:
        """Why a layer stays as it is; None if nothing speaks against its replacement.

        Args:
            error: Relative error of the replacement.
            dense: What the layer takes.
            replaced: What its replacement takes, in the same unit.
        """
        if replaced > (1 - self.min_gain) * dense:
            gain = 1 - replaced / dense
            change = f"saves {gain:.0%}" if gain >= 0 else f"adds {-gain:.0%}"
            return f"decomposing it {change} of its time, and {self.min_gain:.0%} is the least that counts"
        if not error <= self.max_error:
            return f"decomposing it makes an error of {error:.1%}, and {self.max_error:.1%} is the most that is allowed"
        return None
