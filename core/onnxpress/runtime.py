"""onnxruntime on the CPU, the reference every model is run, probed and timed with.

For comparison graph optimisation is off: with it on, onnxruntime folds BatchNormalization too and a fold that is wrong
in the same way would show no error.  For timing everything is on but ``Pad_Fusion``, which in onnxruntime 1.31 folds
zero padding into MaxPool, where padding means minus infinity, and ``ConvAddActivationFusion`` where it would lose an
output: that of a Conv to which something is added, too.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from onnxpress import model_files
from onnxpress.errors import InvalidData, InvalidModel
from onnxpress.kinds import Port

if TYPE_CHECKING:
    import onnxruntime

    from onnxpress.kinds import Array, Feeds

_DTYPES = {
    "float": "float32",
    "double": "float64",
    "float16": "float16",
    "bfloat16": "bfloat16",
    "bool": "bool",
    "string": "object",
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
_OPTIMIZED_DATA_KEY = "session.optimized_model_external_initializers_file_name"
_FOLDER_KEY = "session.model_external_initializers_file_folder_path"


class Session:
    """A model in onnxruntime; a `Runner`.

    Args:
        model: A model or the path of an ONNX file.
        optimize: Everything on (for timing and calibration) rather than off (for comparison).
        threads: Intra-op threads; None leaves the choice to onnxruntime.
        outputs: Names of intermediate values to return instead of the model's outputs.
        save_optimized: Where onnxruntime should write the graph it runs; weights go beside it, in ``<name>.data``.
        profile: Prefix of the JSON file into which ``raw.end_profiling()`` writes the time of every node.

    Raises:
        InvalidModel: onnxruntime rejects the model.
    """

    def __init__(
        self,
        model: ir.Model | Path,
        *,
        optimize: bool = False,
        threads: int | None = None,
        outputs: Sequence[str] | None = None,
        save_optimized: Path | None = None,
        profile: Path | None = None,
    ) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads or 0
        level = ort.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
        if save_optimized is not None:
            options.optimized_model_filepath = os.fspath(save_optimized)
            options.add_session_config_entry(_OPTIMIZED_DATA_KEY, f"{save_optimized.name}.data")
        if profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = os.fspath(profile)
        if outputs is not None:
            model = expose(model_files.load(model) if isinstance(model, Path) else model, outputs)
        try:
            self.raw = _open(model, options)
        except Exception as error:  # onnxruntime's own errors share no base class
            raise InvalidModel(f"onnxruntime rejects the model: {_message(error)}") from error
        self.inputs = tuple(_port(port) for port in self.raw.get_inputs())
        self.outputs = tuple(_port(port) for port in self.raw.get_outputs())

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Outputs by name for one batch of inputs by name.

        Raises:
            InvalidData: onnxruntime cannot run the model on these feeds.
        """
        names = [port.name for port in self.outputs]
        try:
            return dict(zip(names, self.raw.run(names, dict(feeds)), strict=True))
        except Exception as error:  # onnxruntime's own errors share no base class
            raise InvalidData(f"onnxruntime cannot run the model on these inputs: {_message(error)}") from error


def ports(values: Iterable[ir.Value]) -> tuple[Port, ...]:
    """Inputs or outputs of a graph as ports, without opening a session."""
    return tuple(
        Port(name=value.name or "", dtype=value.dtype.numpy().name if value.dtype else "float32", shape=_sizes(value))
        for value in values
    )


def _sizes(value: ir.Value) -> tuple[int | str | None, ...] | None:
    if value.shape is None:
        return None
    return tuple(size if isinstance(size, int) else size.value for size in value.shape)


def expose(model: ir.Model, names: Sequence[str]) -> ir.Model:
    """A copy of `model` whose outputs are the values called `names`, in that order."""
    clone = model.clone()
    values = {value.name: value for value in [*clone.graph.inputs, *clone.graph.initializers.values()]}
    values.update((value.name, value) for node in clone.graph for value in node.outputs)
    missing = [name for name in names if name not in values]
    if missing:
        raise InvalidModel(f"the model has no value called {missing[0]!r}")
    clone.graph.outputs.clear()
    clone.graph.outputs.extend(values[name] for name in names)
    return clone


def _open(model: ir.Model | Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    folders = [] if isinstance(model, Path) else model_files.external_folders(model)
    if isinstance(model, Path):
        return _session(os.fspath(model), options)
    loses_output = any(_is_convolved_and_added(value) for value in model.graph.outputs)
    if len(folders) == 1:
        options.add_session_config_entry(_FOLDER_KEY, folders[0] or ".")
        return _session(ir.serde.serialize_model(model).SerializeToString(), options, loses_output)
    if not folders and model_files.size(model) <= model_files.PROTOBUF_LIMIT:
        return _session(ir.serde.serialize_model(model).SerializeToString(), options, loses_output)
    with tempfile.TemporaryDirectory(prefix="onnxpress-") as folder:
        path = Path(folder) / "model.onnx"
        model_files.save(model, path, external_data=True)
        return _session(os.fspath(path), options, loses_output)


def _is_convolved_and_added(value: ir.Value) -> bool:
    node = value.producer()
    return node is not None and node.op_type == "Conv" and any(use.node.op_type == "Add" for use in value.uses())


def _session(
    model: str | bytes, options: onnxruntime.SessionOptions, loses_output: bool = False
) -> onnxruntime.InferenceSession:
    import onnxruntime as ort

    disabled = ["Pad_Fusion", *["ConvAddActivationFusion"] * loses_output]
    return ort.InferenceSession(
        model, options, providers=["CPUExecutionProvider"], disabled_optimizers=disabled, enable_fallback=0
    )


def _port(argument: Any) -> Port:
    element = argument.type.removeprefix("tensor(").removesuffix(")")
    return Port(name=argument.name, dtype=_DTYPES.get(element, argument.type), shape=tuple(argument.shape))


def _message(error: Exception) -> str:
    text = str(error).split(" : ", 3)[-1]
    return " ".join(text.split())
