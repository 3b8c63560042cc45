from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from onnxpress.errors import InvalidModel
from onnxpress_frontends.opening.graphs.proto_files import read_message


@pytest.fixture
def kind(tf: Any) -> Any:
    return tf.compat.v1.GraphDef


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt"])
@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_binary_and_text_under_either_suffix(kind: Any, tmp_path: Path, suffix: str, text: bool) -> None:
    graph = kind()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    path = tmp_path / f"graph{suffix}"
    path.write_bytes(str(graph).encode() if text else graph.SerializeToString())
    assert read_message(path, kind, "a graph") == graph


@pytest.mark.parametrize("content", [b"\xff\xff", b"node { name: 3 }", b"node { nom: 'x' }", "né".encode("latin-1")])
def test_neither(kind: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(content)
    with pytest.raises(InvalidModel, match=r"graph\.pb is not a graph, or is truncated or corrupt$"):
        read_message(path, kind, "a graph")


def test_a_file_that_cannot_be_read(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"none\.pb does not exist$"):
        read_message(tmp_path / "none.pb", kind, "a graph")
    with pytest.raises(InvalidModel, match=r"cannot read .*: Is a directory"):
        read_message(tmp_path, kind, "a graph")


def test_a_file_larger_than_a_message_is_not_read(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    with path.open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(InvalidModel, match=r"has 2147483648 bytes, more than the 2 GB .*; give the checkpoint"):
        read_message(path, kind, "a graph")
