"""Graphs of TensorFlow 1 with their variables in a checkpoint: training checkpoints (``.meta``) and old SavedModels.

Nothing of them runs: no initialiser, no restore operation, no session.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.opening.graphs.checkpoints import META, find_prefix
from onnxpress_frontends.opening.graphs.graph_opening import open_graph
from onnxpress_frontends.opening.graphs.proto_files import read_message
from onnxpress_frontends.opening.graphs.saver_keys import saver_keys
from onnxpress_frontends.opening.graphs.variable_values import CheckpointValues
from onnxpress_frontends.opening.named_function import NamedFunction
from onnxpress_frontends.tensorflow_import import import_tensorflow


def open_checkpoint(source: Path, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> NamedFunction:
    """The function between `inputs` and `outputs`, called by their node names without ``:0``.

    Args:
        source: The ``.meta``, the ``.index`` or the prefix of a checkpoint, or a folder with a file ``checkpoint``.
        inputs: Tensors; None: what the outputs need from outside.
        outputs: Tensors; None: the only one there is.

    Raises:
        InvalidModel: A file is missing, truncated or corrupt, or graph and values do not belong together.
        InvalidOption: A name is not in the graph, or inputs or outputs must be chosen; candidates are listed.
        UnsupportedModel: The graph would run code, or uses operators or variables in a way that is not supported.
    """
    import_tensorflow()
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

    prefix = find_prefix(source)
    if prefix is None:
        raise InvalidModel(f"{source} is no checkpoint of TensorFlow 1; give its .meta file")
    path = Path(f"{prefix}{META}")
    if not path.is_file():
        raise InvalidModel(
            f"{path} does not exist; a checkpoint holds values only: put the graph beside it, "
            "or restore the checkpoint into its model and convert that"
        )
    meta = read_message(path, MetaGraphDef, "a TensorFlow meta graph")
    if not meta.graph_def.node:
        raise InvalidModel(f"{path} is not a TensorFlow meta graph, or is truncated or corrupt: it holds no node")
    return open_graph(
        meta.graph_def,
        title=Path(prefix).name if not prefix.endswith("/") else Path(prefix).absolute().name,
        source=str(path),
        inputs=inputs,
        outputs=outputs,
        values=CheckpointValues(prefix, saver_keys(meta.graph_def)),
    )


def open_signature(
    meta: Any, signature: Any, folder: Path, inputs: Sequence[str] | None, outputs: Sequence[str] | None
) -> NamedFunction:
    """A signature of a SavedModel's `MetaGraphDef`, its ends called by its keys; other tensors may be named instead.

    Raises:
        InvalidModel: A file is missing, truncated or corrupt, or graph and values do not belong together.
        InvalidOption: A name is not in the graph.
        UnsupportedModel: The graph would run code, or uses operators or variables in a way that is not supported.
    """
    named_inputs, named_outputs = (
        {key: info.name for key, info in sorted(ends.items())} for ends in (signature.inputs, signature.outputs)
    )
    packed = sorted(key for ends in (signature.inputs, signature.outputs) for key in ends if not ends[key].name)
    if packed:
        raise UnsupportedModel(f"{folder}: {packed[0]!r} of its signature is no dense tensor; ONNX knows no other")
    return open_graph(
        meta.graph_def,
        title=folder.absolute().name,
        source=str(folder),
        inputs={name: named_inputs.get(name, name) for name in inputs} if inputs else named_inputs,
        outputs={name: named_outputs.get(name, name) for name in outputs} if outputs else named_outputs,
        values=CheckpointValues(f"{folder}/variables/variables", saver_keys(meta.graph_def)),
        keep_switches=bool(inputs),
    )
