"""Replace convolutions and matrix products by stacks of smaller ones that compute nearly the same.

A kernel as a matrix, its axes shared out between rows and columns, has a best product of two thin matrices in place of
it, which are two kernels; Tucker-2 makes three (`onnxpress.decomposition.forms`).  At full rank the stack is the layer,
strides and zero padding included; a smaller rank is cheaper and errs by the singular values that it leaves out.

With calibration data the product is best for what the layer *gives*: the kernel is whitened by the covariance of what
the layer sees, errors are those of its output, its bias makes good what is lost on average, and a budget weighs errors
with what the network's output makes of them, measured one layer at a time.  Without, the weights are all there is.

    form      how kernels are parted                                    `ways`
    policy    which rank each layer gets                                `rank_choice`
    cost      what a budget counts, multiplications or time             `latency`, `timing`
    min_gain  smallest share of its time that a layer must save         `acceptance`
    max_error largest relative error that a layer may make

BatchNormalization should be folded before: its scale says which outputs of a layer matter.  A layer lives on as
``<layer>/decom_last``, with its output and everything else; the part before it is ``<layer>/decom_first``.  Layers are
declined, and the reason noted, if they are grouped, quantised already, share their weight, or if no stack is quick and
true enough.  How layers were split goes into a file beside the model (`onnxpress.decomposition.info`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path

import onnx_ir as ir

from onnxpress.decomposition.info import ENDING
from onnxpress.decomposition.rewriting import is_layer
from onnxpress.errors import InvalidOption
from onnxpress.kinds import Context, Pass
from onnxpress.naming import Names
from onnxpress_plugins.decomposition.candidates import Candidate, Measure, Option, candidate
from onnxpress_plugins.decomposition.layers import check_finite, obstacle
from onnxpress_plugins.decomposition.ledger import Ledger
from onnxpress_plugins.decomposition.memory import batches
from onnxpress_plugins.decomposition.moments.moment_gathering import Moments, Probe, gather
from onnxpress_plugins.decomposition.prospects import Prospect, Search, prospect
from onnxpress_plugins.decomposition.ranks import error_weights
from onnxpress_plugins.decomposition.ranks.acceptance import Acceptance
from onnxpress_plugins.decomposition.ranks.amct_rule import amct_ways
from onnxpress_plugins.decomposition.ranks.given_ranks import GivenRanks
from onnxpress_plugins.decomposition.ranks.rank_choice import Policy, Rule, Weights, choose
from onnxpress_plugins.decomposition.ranks.sensitivity import sensitivities
from onnxpress_plugins.decomposition.replacing import replace_layer
from onnxpress_plugins.decomposition.speed.latency import Clock, Precision
from onnxpress_plugins.decomposition.speed.nominal_sizes import nominal_sizes
from onnxpress_plugins.decomposition.speed.timing import clock
from onnxpress_plugins.decomposition.ways import FormName
from onnxpress_plugins.quantization.exclusions import Exclusions

_BY_ERROR = ("budget", "ratio", "energy")

_BLIND = (
    "without data errors are those of the weights, which tell little of the output; give samples with --data PATH "
    "for factors, ranks and biases that keep the output"
)


class Decompose(ir.passes.InPlacePass):
    """The pass.

    Args:
        context: Where data, progress and notes come from.
        form: How kernels are parted.
        policy: Which rank each layer gets.
        clock: Tells how long layers take.
        sweeps: Alternating improvements of Tucker-2 stacks.
        samples: How many samples sensitivities are measured on; 0 takes all layers to be alike.
        exclusions: Layers that stay as they are.
    """

    def __init__(
        self,
        context: Context,
        *,
        form: FormName,
        policy: Policy,
        clock: Clock,
        sweeps: int,
        samples: int,
        exclusions: Exclusions,
    ) -> None:
        super().__init__()
        self._context = context
        self._form = form
        self._policy = policy
        self._clock = clock
        self._sweeps = sweeps
        self._samples = samples
        self._exclusions = exclusions

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Replace what can be replaced, and say why the rest cannot.

        Raises:
            InvalidData: A sample does not fit the model, or nothing can be measured on the data.
            InvalidModel: A weight holds NaN or infinity.
            InvalidOption: What is excluded, or has ranks, is not in the model, or ranks do not fit their layer.
        """
        self._exclusions.check(model)
        self._policy.ranks.check(model)
        reasons = {node: self._obstacle(node) for node in model.graph.all_nodes() if is_layer(node)}
        prospects = self._prospects(model, [node for node, reason in reasons.items() if reason is None])
        candidates = self._candidates(model, prospects)
        chosen = choose(candidates, self._policy, self._weights(model, candidates), self._context.notes)
        self._replace(model, reasons, list(zip(candidates, chosen, strict=True)))
        return ir.passes.PassResult(model, not all(isinstance(option, str) for option in chosen))

    def _obstacle(self, node: ir.Node) -> str | None:
        """Why a layer stays as it is whatever its weight."""
        only, policy = self._exclusions.only, self._policy
        if only and node.name not in only:
            return "not among only_nodes"
        reason = self._exclusions.reason(node) or obstacle(node)
        if reason is None and policy.rule == "ranks" and policy.ranks.of(node) is None:
            return "no ranks are given for it"
        return reason

    def _prospects(self, model: ir.Model, nodes: Sequence[ir.Node]) -> list[Prospect]:
        for node in nodes:
            check_finite(node)
        policy = self._policy
        search = Search(
            form=self._form,
            rule=amct_ways if policy.rule == "amct" else None,
            step=policy.step,
            share=None if policy.needs_all_ranks else 1 - policy.acceptance.min_gain,
            ranks=policy.ranks,
            clock=self._clock,
            sizes=nominal_sizes(model, self._context.data),
        )
        found = []
        with self._context.progress.task("timing", len(nodes)) as advance:
            for node in nodes:
                found.append(prospect(node, search))
                advance()
        return found

    def _candidates(self, model: ir.Model, prospects: Sequence[Prospect]) -> list[Candidate]:
        policy, progress, found = self._policy, self._context.progress, []
        for batch in batches(prospects, whitened=self._context.data is not None):
            moments = self._moments(model, batch)
            with progress.task("factors", len(batch)) as advance:
                for own in batch:
                    keep_all = policy.needs_all_ranks
                    found.append(candidate(own, moments, policy.costs, sweeps=self._sweeps, keep_all=keep_all))
                    advance()
        return found

    def _moments(self, model: ir.Model, prospects: Sequence[Prospect]) -> Iterator[Moments | None]:
        """What each layer sees, for each of its ways in turn."""
        probes = [Probe(own.node, way.first_axes) for own in prospects for way in own.stacks]
        return repeat(None) if self._context.data is None else gather(model, probes, self._context)

    def _weights(self, model: ir.Model, candidates: Sequence[Candidate]) -> Weights:
        """What the error of each layer counts for, where a budget has more than one to weigh."""
        policy, context, samples = self._policy, self._context, self._samples
        tried = error_weights.trials(candidates, policy)
        if policy.rule != "budget" or len(tried) < 2:
            return {}
        measured = sensitivities(model, tried, context, samples=samples) if context.data is not None and samples else {}
        return error_weights.weights(tried, policy, measured)

    def _replace(
        self, model: ir.Model, reasons: Mapping[ir.Node, str | None], chosen: Sequence[tuple[Candidate, Option | str]]
    ) -> None:
        """Replace layers, or say why not, in the order of the graph."""
        notes, data, names = self._context.notes, self._context.data, Names(model)
        ledger = Ledger(notes, clock=self._clock.label, errors="weights" if data is None else "outputs")
        outcomes = {one.node: (one, option) for one, option in chosen}
        for node, reason in reasons.items():
            if reason is not None:
                notes.decline(node, reason)
                continue
            one, option = outcomes[node]
            if isinstance(option, str):
                notes.decline(node, option)
            else:
                ledger.enter(one, option, replace_layer(node, one, option, names))
        ledger.close([one for one, _ in chosen])
        if data is None and ledger.has_entries and self._policy.rule in _BY_ERROR:
            notes.warn(_BLIND)


def _build(
    context: Context,
    *,
    form: FormName = "spatial",
    policy: Rule = "budget",
    budget: float = 0.5,
    ratio: float = 0.5,
    energy: float = 0.2,
    ranks: list[str] = [],  # noqa: B006
    cost: Measure = "multiplications",
    precision: Precision = "float32",
    latencies: Path | None = None,
    samples: int = 4,
    step: int = 16,
    sweeps: int = 0,
    min_gain: float = 0.1,
    max_error: float | None = None,
    exclude_nodes: list[str] = [],  # noqa: B006
    exclude_patterns: list[str] = [],  # noqa: B006
    exclude_ops: list[str] = [],  # noqa: B006
    only_nodes: list[str] = [],  # noqa: B006
) -> ir.passes.PassBase:
    if max_error is None:
        max_error = 0.3 if context.data is None else 0.1
    shares = {"budget": budget, "ratio": ratio, "energy": energy, "min_gain": min_gain, "max_error": max_error}
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise InvalidOption(f"pass 'decompose': {name} is a share, 0 to 1, not {share}")
    if step < 1 or sweeps < 0 or samples < 0:
        given = f"{step}, {sweeps} and {samples}"
        raise InvalidOption(f"pass 'decompose': step must be positive, sweeps and samples not negative, not {given}")
    rule = Policy(
        rule=policy,
        ratio=ratio,
        energy=energy,
        budget=budget,
        step=step,
        ranks=GivenRanks(ranks),
        acceptance=Acceptance(max_error=max_error, min_gain=min_gain),
        measure=cost,
    )
    return Decompose(
        context,
        form=form,
        policy=rule,
        clock=clock(precision, latencies),
        sweeps=sweeps,
        samples=samples,
        exclusions=Exclusions(nodes=exclude_nodes, patterns=exclude_patterns, ops=exclude_ops, only=only_nodes),
    )


DECOMPOSE = Pass(
    name="decompose",
    summary="Replace layers by stacks of smaller ones that compute nearly the same in less time",
    build=_build,
    extras=(ENDING,),
)
