from __future__ import annotations

import importlib
import importlib.metadata
import logging
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from onnxpress import hookimpl
from onnxpress.errors import Conflict, InvalidPlugin, UnknownName
from onnxpress.kinds import Context, Pass, Report
from onnxpress.records import Run
from onnxpress.registry import GROUP, HOOKS, Registry


def nothing(context: Context) -> None:
    raise AssertionError("the registry never builds a pass")


def tidy(name: str = "tidy") -> Pass:
    return Pass(name=name, summary="Tidies.", build=nothing)


def plugin(name: str, *offers: Pass) -> object:
    @hookimpl
    def onnxpress_passes() -> Iterable[Pass]:
        return offers

    return SimpleNamespace(__name__=name, onnxpress_passes=onnxpress_passes)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs a distribution `dist-NAME` whose entry point NAME is a module with the given source.

    Other plugins of the environment are hidden, so that the test sees its own alone.
    """
    monkeypatch.syspath_prepend(tmp_path)
    everything = importlib.metadata.distributions

    def only_here() -> list[importlib.metadata.Distribution]:
        return list(everything(path=[str(tmp_path)]))

    monkeypatch.setattr("onnxpress.registry.distributions", only_here)

    def installer(name: str, source: str, *, entry: str | None = None) -> None:
        (tmp_path / f"module_{name}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"dist_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dist-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entry or name} = module_{name}\n")

    yield installer
    for name in [name for name in sys.modules if name.startswith("module_")]:
        del sys.modules[name]


SOUND = """
    from onnxpress import hookimpl
    from onnxpress.kinds import Pass

    @hookimpl
    def onnxpress_passes():
        yield Pass(name={name!r}, summary="Does something.", build=lambda context: None)
"""


def test_a_given_plugin_offers_by_name():
    registry = Registry(plugin("mine", tidy("b"), tidy("a")), installed=False)
    assert list(registry.all(Pass)) == ["a", "b"]
    assert registry.get(Pass, "a").name == "a"
    assert [(name, item.name) for name, item in registry.offers(Pass)] == [("mine", "b"), ("mine", "a")]
    assert [(item.name, item.source, item.reason) for item in registry.plugins] == [("mine", "given", "")]


def test_the_kinds_do_not_mix():
    class Both:
        @hookimpl
        def onnxpress_passes(self) -> Iterable[Pass]:
            yield tidy("same")

        @hookimpl
        def onnxpress_reports(self) -> Iterable[Report]:
            yield Report(name="same", summary="Counts steps.", render=lambda run: str(len(run.steps)))

    registry = Registry(Both(), installed=False)
    assert registry.get(Report, "same").render(Run()) == "0"
    assert registry.get(Pass, "same").build is nothing


def test_registries_share_nothing():
    assert Registry(plugin("mine", tidy()), installed=False).all(Pass)
    assert not Registry(installed=False).all(Pass)


def test_every_kind_has_a_hook_of_its_own():
    registry = Registry(installed=False)
    assert len(set(HOOKS.values())) == len(HOOKS) == 6
    assert all(registry.all(kind) == {} for kind in HOOKS)


def test_the_built_in_plugins_need_no_privilege():
    assert {"plugins", "frontends", "backends"} <= {item.name for item in Registry().plugins}
    assert Registry().broken == []


def test_one_name_from_two_plugins_is_an_error_naming_both():
    registry = Registry(plugin("mine", tidy()), plugin("yours", tidy()), installed=False)
    with pytest.raises(Conflict) as caught:
        registry.get(Pass, "tidy")
    assert str(caught.value) == "pass 'tidy' is offered by both 'mine' and 'yours'; uninstall one"


def test_two_plugins_of_one_name_are_an_error_naming_both_distributions(install):
    install("one", SOUND.format(name="a"), entry="same")
    install("two", SOUND.format(name="b"), entry="same")
    with pytest.raises(Conflict) as caught:
        Registry()
    assert str(caught.value) == "two plugins are called 'same': of dist-one 1.0 and dist-two 1.0; uninstall one"


def test_an_unknown_name_gets_the_nearest():
    registry = Registry(plugin("mine", tidy("fold-batch-norm"), tidy("clean-up")), installed=False)
    with pytest.raises(UnknownName) as caught:
        registry.get(Pass, "fold-batchnorm")
    assert str(caught.value) == "no pass is called 'fold-batchnorm'; did you mean 'fold-batch-norm'?"
    with pytest.raises(UnknownName) as caught:
        registry.get(Pass, "zzz")
    assert str(caught.value) == "no pass is called 'zzz'; known: clean-up, fold-batch-norm"


def test_an_unknown_name_where_nothing_is_offered():
    with pytest.raises(UnknownName) as caught:
        Registry(installed=False).get(Report, "html")
    assert str(caught.value) == "no report is called 'html'; known: none"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import a_package_that_is_not_there", "ModuleNotFoundError: No module named 'a_package_that_is_not_there'"),
        ("1 +", "SyntaxError: invalid syntax (module_broken.py, line 1)"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        (
            "from onnxpress import hookimpl\n@hookimpl\ndef onnxpress_passes():\n    raise OSError('no licence')",
            "onnxpress_passes of plugin 'broken' failed: OSError: no licence",
        ),
        (
            "from onnxpress import hookimpl\n@hookimpl\ndef onnxpress_passes():\n    yield 3",
            "onnxpress_passes of plugin 'broken' must yield Pass, not int",
        ),
        (
            "from onnxpress import hookimpl\n@hookimpl\ndef onnxpress_passes():\n    pass",
            "onnxpress_passes of plugin 'broken' failed: TypeError: 'NoneType' object is not iterable",
        ),
        (
            "from onnxpress import hookimpl\n@hookimpl\ndef onnxpress_pases():\n    return []",
            "plugin 'broken' implements a hook that does not exist: unknown hook 'onnxpress_pases'",
        ),
        (
            "from onnxpress import hookimpl\n@hookimpl\ndef onnxpress_passes(model):\n    return []",
            "plugin 'broken' implements a hook that does not exist: Plugin 'broken' for hook",
        ),
    ],
    ids=["import", "syntax", "exit", "raises", "wrong-kind", "none", "misspelt", "parameters"],
)
def test_a_broken_plugin_is_listed_and_takes_no_other_down(install, caplog, source: str, reason: str):
    install("broken", source)
    install("sound", SOUND.format(name="works"))
    with caplog.at_level(logging.WARNING):
        registry = Registry()
        assert list(registry.all(Pass)) == ["works"]
    (broken,) = registry.broken
    assert (broken.name, broken.source) == ("broken", "dist-broken 1.0")
    assert broken.reason.startswith(reason)
    assert caplog.messages == [f"skipping plugin 'broken' of dist-broken 1.0: {broken.reason}"]
    with pytest.raises(UnknownName) as caught:
        registry.get(Pass, "lost")
    assert str(caught.value) == (
        f"no pass is called 'lost'; known: works (plugin 'broken' of dist-broken 1.0 did not load: {broken.reason})"
    )


def test_a_misspelt_hook_of_a_given_plugin_is_an_error():
    class Misspelt:
        @hookimpl
        def onnxpress_pass(self) -> Iterable[Pass]:
            yield tidy()

    with pytest.raises(InvalidPlugin) as caught:
        Registry(Misspelt(), installed=False)
    assert str(caught.value).startswith(
        "plugin 'Misspelt' implements a hook that does not exist: unknown hook 'onnxpress_pass'"
    )


def test_a_given_plugin_that_yields_something_else_is_an_error():
    class Wrong:
        @hookimpl
        def onnxpress_passes(self) -> Iterable[object]:
            yield "clean-up"

    with pytest.raises(InvalidPlugin) as caught:
        Registry(Wrong(), installed=False).all(Pass)
    assert str(caught.value) == "onnxpress_passes of plugin 'Wrong' must yield Pass, not str"


def test_a_module_given_and_installed_counts_once(install):
    install("sound", SOUND.format(name="works"))
    module = importlib.import_module("module_sound")
    assert list(Registry(module).all(Pass)) == ["works"]


def test_the_order_of_installation_means_nothing(install):
    install("zebra", SOUND.format(name="a"))
    install("ant", SOUND.format(name="b"))
    assert [plugin.name for plugin in Registry().plugins] == ["ant", "zebra"]
