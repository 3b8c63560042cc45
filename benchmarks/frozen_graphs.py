"""A frozen graph run by TensorFlow: what `tensorflow-pb` writes, read as its users read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class FrozenGraph:
    """A ``.pb`` file, or a GraphDef, in a session of TensorFlow 1, one thread."""

    def __init__(self, source: Path | Any, *, threads: int = 1) -> None:
        import tensorflow as tf

        graph_def = tf.compat.v1.GraphDef.FromString(source.read_bytes()) if isinstance(source, Path) else source
        self.graph = tf.Graph()
        with self.graph.as_default():
            tf.import_graph_def(graph_def, name="")
        config = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=threads, intra_op_parallelism_threads=threads)
        self._session = tf.compat.v1.Session(graph=self.graph, config=config)

    def run(self, feeds: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        """The outputs, by the names of their nodes, for inputs by the names of theirs."""
        fed = {f"{name}:0": array for name, array in feeds.items()}
        results: list[Any] = self._session.run([f"{name}:0" for name in outputs], fed)
        return results

    def close(self) -> None:
        """Give the session back."""
        self._session.close()

    def ops(self) -> list[str]:
        """The operators of the nodes, in order."""
        return [node.op for node in self.graph.as_graph_def().node]
