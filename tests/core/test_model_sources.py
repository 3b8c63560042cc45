from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from onnxpress import hookimpl
from onnxpress.errors import InvalidOption, UnsupportedModel
from onnxpress.kinds import Frontend
from onnxpress.model_sources import find_frontend, find_frontends
from onnxpress.registry import Registry


def reader(name: str, *suffixes: str) -> Frontend:
    def accepts(source: Any) -> bool:
        return isinstance(source, Path) and source.suffix in suffixes

    return Frontend(name=name, summary=f"reads {name}", accepts=accepts, load=lambda source: source)


@pytest.fixture
def registry() -> Registry:
    @hookimpl
    def onnxpress_frontends() -> Iterable[Frontend]:
        return reader("bare", ""), reader("tables", ".csv"), reader("lists", ".csv", ".txt")

    plugin = SimpleNamespace(__name__="readers", onnxpress_frontends=onnxpress_frontends)
    return Registry(plugin, installed=False)


def test_the_frontend_that_accepts_a_file(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.touch()
    assert find_frontend(path, registry).name == find_frontend(str(path), registry).name == "lists"


def test_what_the_names_of_several_files_begin_with_need_not_be_a_file(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "model.index").touch()
    assert find_frontend(tmp_path / "model", registry).name == "bare"


@pytest.mark.parametrize("name", ["nowhere", "nowhere.csv", "model.txt", "mode"])
def test_a_path_that_leads_nowhere(registry: Registry, tmp_path: Path, name: str) -> None:
    (tmp_path / "model.index").touch()
    with pytest.raises(UnsupportedModel, match=rf"{name} does not exist; give the path of a model file or folder"):
        find_frontend(tmp_path / name, registry)


def test_two_frontends_for_one_file(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.touch()
    with pytest.raises(UnsupportedModel, match=r"accepted by more than one frontend \(lists, tables\); name the one"):
        find_frontend(path, registry)


def test_a_name_is_for_the_sources_that_it_accepts(registry: Registry, tmp_path: Path) -> None:
    table, text = tmp_path / "a.csv", tmp_path / "a.txt"
    for path in (table, text):
        path.touch()
    assert [offer.name for offer in find_frontends((table, text), registry, "tables")] == ["tables", "lists"]
    assert [offer.name for offer in find_frontends((table, str(text)), registry, "lists")] == ["lists", "lists"]
    with pytest.raises(UnsupportedModel, match=r"more than one frontend \(lists, tables\)"):
        find_frontends((text, table), registry)
    with pytest.raises(InvalidOption, match="frontend 'bare' reads none of the models; leave it out, or name another"):
        find_frontends((table, text), registry, "bare")


def test_none_for_it(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.touch()
    with pytest.raises(UnsupportedModel, match=r"no frontend reads .*a\.png \(bare: reads bare; "):
        find_frontend(path, registry)
