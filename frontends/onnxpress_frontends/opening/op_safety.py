"""TensorFlow operators that no model file may bring along: they call Python, touch files, or reach the network.

Loading a SavedModel runs its initialisers, and constant folding runs whatever looks constant; so a file is searched
before TensorFlow sees it.  Every SavedModel holds SaveV2 and RestoreV2 for its own checkpoint: those are tolerated
where nothing calls them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

CHECKPOINT = frozenset(("Save", "SaveV2", "SaveSlices", "MergeV2Checkpoints", "Restore", "RestoreV2", "RestoreSlice"))
"""Refused where they could run."""


def refuse_harmful(graph: Any, source: str, *, functions: Iterable[str] | None = None) -> None:
    """Refuse a `GraphDef` with an operator of `HARMFUL`, or one of `CHECKPOINT` where it could run.

    Args:
        graph: The graph with its function library.
        source: What the message names.
        functions: Where execution may begin; None: anything in the graph may run.

    Raises:
        UnsupportedModel: Such an operator is there; the message lists them with their first nodes.
    """
    everything = list(_nodes(graph))
    running = everything if functions is None else list(_inside(graph, functions))
    suspects = [(place, node) for place, node in everything if node.op in HARMFUL]
    suspects += [(place, node) for place, node in running if node.op in CHECKPOINT]
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


def _inside(graph: Any, functions: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """The nodes of functions, and of all that those call."""
    library = {function.signature.name: function for function in graph.library.function}
    pending, seen = [name for name in functions if name in library], set[str]()
    while pending:
        name = pending.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for node in library[name].node_def:
            yield f"{name}/{node.name}", node
            pending += [name for name in called(node) if name in library]
