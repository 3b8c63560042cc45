from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path

import pytest

from onnxpress.errors import MissingDependency
from onnxpress.foreign import Framework, native_code_muted

LOUD = """
import logging, os, warnings
seen = os.environ["LOUD_THREADS"]
warnings.warn("hear me")
logging.getLogger("loud").error("hear me")
os.write(2, b"hear me")
"""


@pytest.fixture
def loud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Framework:
    """A module that says a lot while it is imported."""
    (tmp_path / "loud.py").write_text(LOUD)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "loud", raising=False)
    monkeypatch.setenv("LOUD_THREADS", "3")
    monkeypatch.delenv("LOUD_THREADS")
    return Framework(name="Loud", module="loud", install="louder", environment={"LOUD_THREADS": "1"}, loggers=("loud",))


def test_it_comes_in_quietly(
    loud: Framework, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module = loud.load()
    assert module.seen == "1"
    assert "hear me" not in capfd.readouterr().err + caplog.text
    assert loud.load() is module


def test_what_the_user_has_set_stays(loud: Framework, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUD_THREADS", "7")
    assert loud.load().seen == "7"


def test_what_is_missing_is_named() -> None:
    absent = Framework(name="Absent", module="absent_module", install="'onnxpress[absent]'", loggers=())
    with pytest.raises(MissingDependency, match=r"^Absent cannot be imported \(No .*\); pip install 'onnxpress\["):
        absent.load()


def test_levels_are_restored_after_an_error(loud: Framework) -> None:
    before = logging.getLogger("loud").level
    with pytest.raises(ValueError, match="through"), loud.quiet():
        raise ValueError("through")
    assert logging.getLogger("loud").level == before


def test_native_code_is_muted_and_heard_again(capfd: pytest.CaptureFixture[str]) -> None:
    with native_code_muted():
        os.write(2, b"nobody hears")
    os.write(2, b"somebody hears")
    assert capfd.readouterr().err == "somebody hears"
