"""Memory: refused before anything starts, naming the layer and what is there; covariances get what is left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from low_rank_networks import Images, network
from onnxpress.errors import InvalidOption
from onnxpress.testing import apply
from onnxpress_plugins.decomposition import candidates, memory
from onnxpress_plugins.decomposition.decomposing import DECOMPOSE


def with_bytes(monkeypatch: pytest.MonkeyPatch, size: int, **options: Any) -> Any:
    monkeypatch.setattr(memory, "available", lambda: size)
    return apply(DECOMPOSE, network(), **options)


def test_too_little_is_told_before_anything_is_factored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "factored", lambda *_, **__: pytest.fail("factored all the same"))
    with pytest.raises(InvalidOption) as told:
        with_bytes(monkeypatch, 2**20)
    assert str(told.value).startswith("pass 'decompose': factoring 'b' takes ")
    assert str(told.value).endswith(" and 1.0 MiB of memory are available; leave large layers out with exclude_nodes")


def test_leaving_the_layer_out_is_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _, notes = with_bytes(monkeypatch, 2 * 2**20, only_nodes=["y"])
    assert not notes.details["layers"]


def test_data_take_more(monkeypatch: pytest.MonkeyPatch) -> None:
    enough = 12 * 2**20
    with_bytes(monkeypatch, enough)
    small = next(size for size in range(2**20, enough, 2**18) if not fails(monkeypatch, size))
    assert fails(monkeypatch, small, data=Images())


def fails(monkeypatch: pytest.MonkeyPatch, size: int, **options: Any) -> bool:
    try:
        with_bytes(monkeypatch, size, **options)
    except InvalidOption:
        return True
    return False


class Counted(Images):
    passes = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.passes += 1
        yield from super().__iter__()


def test_with_little_memory_layers_are_looked_at_apart_and_no_number_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    least = next(size for size in range(2**20, 2**26, 2**18) if not fails(monkeypatch, size, data=Images()))
    narrow, wide = Counted(), Counted()
    told = [with_bytes(monkeypatch, size, data=data)[1] for size, data in ((least, narrow), (2**34, wide))]
    assert told[0].details == told[1].details
    assert narrow.passes > wide.passes


@pytest.mark.parametrize("form", ["tucker2", "channel", "auto"])
def test_every_form_has_an_estimate(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    assert fails(monkeypatch, 2**18, form=form)
    assert not fails(monkeypatch, 2**34, form=form)
