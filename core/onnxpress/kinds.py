"""The six kinds of thing a plugin can add, each a small frozen record with a name, and what a pass may ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from onnxpress.records import Notes, Run, StepRecord
from onnxpress.targets import OpRule, Scheme

if TYPE_CHECKING:
    import numpy as np
    import onnx_ir as ir
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Feeds = Mapping[str, Array]


WARNINGS_KEY = "onnxpress.warnings"
"""Where a frontend leaves what the user must know of a conversion, in the `meta` of the model."""

SOURCE_NAME_KEY = "onnxpress.source_name"
"""Where a frontend leaves what files that go with the source call a layer, in the `meta` of its node."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What every kind shares: a kebab-case name to be asked for by, and one line of help."""

    label: ClassVar[str] = "kind"
    name: str
    summary: str


K = TypeVar("K", bound=Kind)


@dataclass(frozen=True, kw_only=True)
class Port:
    """One input or output of a runnable model.

    Attributes:
        name: Tensor name as the user knows it.
        dtype: numpy dtype name, e.g. ``float32``.
        shape: Sizes; a string or None stands for a dynamic dimension.  None: unknown rank.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None


class Runner(Protocol):
    """A model that can be run: an onnxruntime session, or a source in its own framework."""

    @property
    def inputs(self) -> Sequence[Port]:
        """The inputs, in order."""

    @property
    def outputs(self) -> Sequence[Port]:
        """The outputs, in order."""

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Outputs by name for one batch of inputs by name."""


@dataclass(frozen=True, kw_only=True)
class Frontend(Kind):
    """Reads one source format.

    Attributes:
        accepts: Whether a source (a `Path`, or an in-memory object) is this frontend's.  Cheap: it looks at names and
            first bytes and imports nothing heavy.
        load: ``load(source, *, options...) -> ir.Model``; sentences that the user must see go, as a list, into
            ``model.meta[WARNINGS_KEY]``.
        reference: ``reference(source, *, same options...) -> Runner``: the source run by its own framework; None when
            onnxruntime on the loaded model is the reference.
    """

    label: ClassVar[str] = "frontend"
    accepts: Callable[[Any], bool]
    load: Callable[..., ir.Model]
    reference: Callable[..., Runner] | None = None


@dataclass(frozen=True, kw_only=True)
class Pass(Kind):
    """Builds a pass: ``build(context, *, options...)``.  The keyword-only parameters are the pass's options.

    Attributes:
        extras: Endings of files that the pass leaves beside the model (`Notes.files`).  Where a model is replaced by
            one that the pass had no part in, such a file is set aside.
    """

    label: ClassVar[str] = "pass"
    build: Callable[..., ir.passes.PassBase]
    extras: tuple[str, ...] = ()


class RangeTracker(Protocol):
    """Watches one tensor during calibration; memory does not grow with the number of samples."""

    def update(self, sample: NDArray[np.float32], low: float, high: float) -> None:
        """Take one sample of the tensor, any shape, not empty; `low` and `high` are its extremes, both finite.

        Where the tensor cannot be negative, as behind a Relu, `low` is 0.
        """

    def merge(self, other: Any) -> None:
        """Take over what another tracker of the same kind has seen."""

    def range(self) -> tuple[float, float]:
        """The range to quantise, ``(low, high)``."""


@dataclass(frozen=True, kw_only=True)
class Observer(Kind):
    """Builds a `RangeTracker` for each tensor that is calibrated: ``build(*, options...)``."""

    label: ClassVar[str] = "observer"
    build: Callable[..., RangeTracker]


@dataclass(frozen=True, kw_only=True)
class Target(Kind):
    """What a piece of hardware can quantise.  Data, no behaviour.

    Attributes:
        activation: How computed tensors are quantised.
        weight: How weights are quantised.
        rules: The operators of the default domain that have an integer kernel; all others stay float.
        guarded: Operators that the runtime quantises in its own way when they are left float between quantised ones; an
            identity that it does not see through is put before them.
        avoided: Operators that whoever reads the model for the target does not know; no pass makes them.
        concat_channels: Integers pass through a Concat of channels if every input has a multiple of so many: what is
            quantised of its inputs and output then has one scale.  0: they do not, or a rule says how.
        opset: The lowest opset that can say all this.
        newest_opset: The highest opset whose operators are known to be read for the target; None: any.
    """

    label: ClassVar[str] = "target"
    activation: Scheme
    weight: Scheme
    rules: tuple[OpRule, ...]
    guarded: tuple[str, ...] = ()
    avoided: tuple[str, ...] = ()
    concat_channels: int = 0
    opset: int = 13
    newest_opset: int | None = None

    def rule(self, op_type: str) -> OpRule | None:
        """The rule for an operator of the default domain, None when it stays float."""
        return next((rule for rule in self.rules if rule.op_type == op_type), None)


@dataclass(frozen=True, kw_only=True)
class Backend(Kind):
    """Writes a model in one target format: ``emit(model, path, *, options...)`` returns the files or folders it wrote.

    Attributes:
        suffixes: File suffixes that stand for this backend when the user names none, e.g. ``(".onnx",)``; ``"/"``
            stands for a folder: a path that ends in a slash, that has no suffix, or where a folder is already.
        extras: Endings of files that are written beside the model and are no part of it, so that they do not count
            for its size.
        check: ``check(model, path, *, options...)`` raises what `emit` would raise in the end whatever passes do, and
            is called before they run, with the model as it was read.  It takes those options of `emit` that matter to
            it; it is cheap, changes nothing and writes nothing.  None: nothing is known so early.
    """

    label: ClassVar[str] = "backend"
    emit: Callable[..., Sequence[Path]]
    suffixes: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    check: Callable[..., None] | None = None


@dataclass(frozen=True, kw_only=True)
class Report(Kind):
    """Renders what a run did.

    Attributes:
        render: ``render(run) -> str``.
        suffixes: Suffixes of files that are written by this report, e.g. ``(".json",)``.
    """

    label: ClassVar[str] = "report"
    render: Callable[[Run], str]
    suffixes: tuple[str, ...] = ()


class Catalog(Protocol):
    """Looks offers up by kind and name; the registry is one."""

    def get(self, kind: type[K], name: str) -> K:
        """The one of `kind` called `name`."""


class Dataset(Protocol):
    """Samples for calibration or evaluation.  Iterating again starts again from the first sample.

    Every item is one batch of feeds: input name to array.  `onnxpress.data.Samples` is one.
    """

    @property
    def is_random(self) -> bool:
        """Whether the data are made up, so that ranges taken from them mean nothing."""

    def __iter__(self) -> Iterator[Feeds]:
        """Yield feeds with as few samples each as the model takes: one where its batch dimension is dynamic."""


class Progress(Protocol):
    """Shows how far a long loop is; does nothing when nobody watches."""

    def task(self, description: str, total: int | None) -> AbstractContextManager[Callable[[], None]]:
        """A context whose value is called once per finished item."""


class Silent:
    """The progress that nobody watches."""

    def task(self, description: str, total: int | None) -> AbstractContextManager[Callable[[], None]]:
        """Nothing to show."""
        return nullcontext(lambda: None)


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a pass may ask of the run it is part of.

    Attributes:
        catalog: Looks observers, targets and other passes up by name.
        data: Calibration samples; None when the user gave none.
        target: Name of the target that the recipe is for.
        notes: Where the pass records what it changed, declined, and warns of.  A fresh one per step.
        progress: Where a pass that takes seconds shows how far it is.
        threads: Intra-op threads for onnxruntime.
    """

    catalog: Catalog
    data: Dataset | None = None
    target: str = "onnxruntime-cpu"
    notes: Notes = field(default_factory=Notes)
    progress: Progress = field(default_factory=Silent)
    threads: int | None = None


@dataclass(kw_only=True)
class Step:
    """A pass ready to run, and the record of what becomes of it."""

    run: ir.passes.PassBase
    record: StepRecord

    @property
    def name(self) -> str:
        """Name of the pass."""
        return self.record.name
