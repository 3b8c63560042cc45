"""Either form is recognised, and a file that cannot be read is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from amct_configurations import IFMR_LAYER, SIMPLIFIED
from onnxpress.ascend.configuration.reading import read
from onnxpress.errors import InvalidRecipe


def test_either_form_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("\n " + json.dumps({"conv1": IFMR_LAYER}))
    (tmp_path / "b").write_text(SIMPLIFIED)
    assert read(tmp_path / "a").listed == ("conv1",)
    assert read(tmp_path / "b").skip_layers == ("conv3",)
    assert read(tmp_path / "b").source == str(tmp_path / "b")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, why in (("missing", "No such file"), ("binary", "codec can't decode"), (".", "Is a directory")):
        with pytest.raises(InvalidRecipe, match=rf"cannot read .*: .*{why}"):
            read(tmp_path / name)
