"""Running a deploy model on the CPU with the arithmetic of a profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from onnxpress.ascend.simulation.integer_form import OVERFLOWS, integer_form
from onnxpress.ascend.simulation.profiles import Profile, find_profile
from onnxpress.errors import InvalidModel
from onnxpress.runtime import Session

if TYPE_CHECKING:
    from onnxpress.kinds import Array, Feeds


class Simulator:
    """A deploy model in onnxruntime, graph optimisation off; a `Runner`.

    The same feeds give the same bits on every CPU where float32 operators do: all that is integer is exact.

    Args:
        model: A deploy model.
        profile: Whose arithmetic: a name or a profile.
        threads: Intra-op threads; None leaves the choice to onnxruntime.
        probes: Values of the deploy model to return beside its outputs: int8 behind AscendQuant, int32 behind the
            operators (float32 behind a pooling), floating point behind AscendDequant.

    Attributes:
        overflows: By the name of an operator, how many of its accumulators have left 32 bits in all runs so far; an
            accumulator that has wraps around, which the device may do in another way.

    Raises:
        InvalidModel: The model breaks a rule of deploy models, or has no such value as a probe names.
        UnsupportedModel: See `integer_form`.
    """

    def __init__(
        self,
        model: ir.Model,
        profile: str | Profile = "rint",
        *,
        threads: int | None = None,
        probes: Sequence[str] = (),
    ) -> None:
        self.profile = find_profile(profile) if isinstance(profile, str) else profile
        self.overflows: Counter[str] = Counter()
        form = integer_form(model, self.profile)
        values = {
            value.name: value for value in (*form.graph.inputs, *(v for node in form.graph for v in node.outputs))
        }
        given = [value.name for value in model.graph.outputs]
        for probe in probes:
            if probe not in values:
                raise InvalidModel(f"the model has no value called {probe!r} under profile {self.profile.name!r}")
            if probe not in given:
                form.graph.outputs.append(values[probe])
        RemoveUnusedNodesPass()(form)
        self._session = Session(form, threads=threads)
        self.inputs = self._session.inputs
        self.outputs = self._session.outputs[: len(given)]
        self._counters = {port.name for port in self._session.outputs[len(given) :]} - {*probes}

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Outputs, and probes, by name for one batch of inputs by name.

        Raises:
            InvalidData: onnxruntime cannot run the model on these feeds.
        """
        results = self._session.run(feeds)
        for name in self._counters:
            self.overflows[name.removesuffix(OVERFLOWS)] += int(results.pop(name))
        return results
