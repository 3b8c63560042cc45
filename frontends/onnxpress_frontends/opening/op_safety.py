"""TensorFlow operators that no model file may bring along: they call Python, touch files, or reach the network.

Loading a SavedModel runs its initialisers, and constant folding runs whatever looks constant; so a file is searched
before TensorFlow sees it.  Every SavedModel holds SaveV2 and RestoreV2 for its own checkpoint: those are
tolerated where nothing but the checkpoint reader calls them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.reachability import called

_HARMFUL = """
    PyFunc PyFuncStateless EagerPyFunc
    ReadFile WriteFile MatchingFiles ImmutableConst PrintV2 FileSystemSetConfiguration
    FixedLengthRecordReader FixedLengthRecordReaderV2 IdentityReader IdentityReaderV2 LMDBReader RecordInput
    TFRecordReader TFRecordReaderV2 TextLineReader TextLineReaderV2 WholeFileReader WholeFileReaderV2
    CSVDataset CSVDatasetV2 ExperimentalCSVDataset FixedLengthRecordDataset FixedLengthRecordDatasetV2
    LMDBDataset ExperimentalLMDBDataset SqlDataset ExperimentalSqlDataset TFRecordDataset TFRecordDatasetV2
    TextLineDataset MatchingFilesDataset ExperimentalMatchingFilesDataset CacheDataset CacheDatasetV2
    LoadDataset SaveDataset SaveDatasetV2 SnapshotDataset SnapshotDatasetV2 SnapshotChunkDataset
    SnapshotDatasetReader SnapshotNestedDatasetReader ListSnapshotChunksDataset DistributedSave
    DatasetToTFRecord ExperimentalDatasetToTFRecord DatasetFromGraph DecodeProtoV2 EncodeProto
    InitializeTableFromTextFile InitializeTableFromTextFileV2 LoadAndRemapMatrix GenerateVocabRemapping
    SummaryWriter CreateSummaryFileWriter CreateSummaryDbWriter WriteSummary WriteScalarSummary
    WriteHistogramSummary WriteImageSummary WriteAudioSummary WriteGraphSummary WriteRawProtoSummary ImportEvent
    DebugIdentity DebugIdentityV2 DebugIdentityV3 DebugNanCount DebugNumericSummary DebugNumericSummaryV2
    RemoteCall RpcCall RpcClient RpcServer RpcServerStart RegisterDataset RegisterDatasetV2
    DataServiceDataset DataServiceDatasetV2 DataServiceDatasetV3 DataServiceDatasetV4
    TPUCompile TPUExecute ConfigureDistributedTPU
"""

HARMFUL = frozenset(_HARMFUL.split())
"""Refused wherever they are."""

CHECKPOINT_WRITERS = frozenset(("Save", "SaveV2", "SaveSlices", "MergeV2Checkpoints"))
"""Refused wherever loading could call them."""

CHECKPOINT = CHECKPOINT_WRITERS | {"Restore", "RestoreV2", "RestoreSlice"}
"""Refused where an initialiser or a signature could call them."""


@dataclass(frozen=True)
class Roots:
    """Nodes and tensors of the main graph, and functions, that TensorFlow may run; and what they must not reach."""

    nodes: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    forbidden: frozenset[str] = CHECKPOINT


def refuse_harmful(graph: Any, source: str, *, roots: Iterable[Roots] | None = None) -> None:
    """Refuse a `GraphDef` with an operator of `HARMFUL`, or one of `CHECKPOINT` where it could run.

    Args:
        graph: The graph with its function library.
        source: What the message names.
        roots: Where execution may begin; None: anything in the graph may run.

    Raises:
        UnsupportedModel: Such an operator is there; the message lists them with their first nodes.
    """
    everything = list(_nodes(graph))
    suspects = [(place, node) for place, node in everything if node.op in HARMFUL]
    if roots is None:
        suspects += [(place, node) for place, node in everything if node.op in CHECKPOINT]
    for root in roots or ():
        suspects += [(place, node) for place, node in _reachable(graph, root) if node.op in root.forbidden]
    found: dict[str, str] = {}
    for place, node in suspects:
        found.setdefault(node.op, f"{node.op} (first {place!r})")
    if found:
        raise UnsupportedModel(
            f"{source} holds operators that run code or touch files: {', '.join(found[op] for op in sorted(found))}; "
            "such a model is not loaded, remove them from it"
        )


def _nodes(graph: Any) -> Iterator[tuple[str, Any]]:
    yield from ((node.name, node) for node in graph.node)
    for function in graph.library.function:
        yield from ((f"{function.signature.name}/{node.name}", node) for node in function.node_def)


def _reachable(graph: Any, roots: Roots) -> Iterator[tuple[str, Any]]:
    """What the roots depend on in the main graph, by data or control, and then all that those nodes call."""
    library = {function.signature.name: function for function in graph.library.function}
    pending = [name for name in roots.functions if name in library]
    for node in _dependencies(graph, roots.nodes):
        yield node.name, node
        pending += [name for name in called(node) if name in library]
    seen = set[str]()
    while pending:
        name = pending.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for node in library[name].node_def:
            yield f"{name}/{node.name}", node
            pending += [name for name in called(node) if name in library]


def _dependencies(graph: Any, tensors: Iterable[str]) -> Iterator[Any]:
    nodes = {node.name: node for node in graph.node}
    pending, seen = list(tensors), set[str]()
    while pending:
        name = pending.pop().removeprefix("^").partition(":")[0]
        if name in nodes and name not in seen:
            seen.add(name)
            yield nodes[name]
            pending += nodes[name].input
