"""Finds plugins, asks each what it adds, and looks names up."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import cast

import pluggy

from onnxpress import hookspecs
from onnxpress.errors import Conflict, InvalidPlugin, OnnxpressError, UnknownName
from onnxpress.kinds import Backend, Frontend, K, Kind, Observer, Pass, Report, Target

GROUP = "onnxpress"
GIVEN = "given"
HOOKS: dict[type[Kind], str] = {
    Frontend: "onnxpress_frontends",
    Pass: "onnxpress_passes",
    Observer: "onnxpress_observers",
    Target: "onnxpress_targets",
    Backend: "onnxpress_backends",
    Report: "onnxpress_reports",
}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plugin:
    """One entry point of group `GROUP`: what offers, from which distribution, and why it is broken if it is."""

    name: str
    source: str
    error: BaseException | None = None

    @property
    def reason(self) -> str:
        """Why it is broken, on one line; empty when it is not."""
        if self.error is None:
            return ""
        kind = "" if isinstance(self.error, OnnxpressError) else f"{type(self.error).__name__}: "
        return " ".join(f"{kind}{self.error}".split())


class Registry:
    """The installed plugins and what they offer.

    An installed plugin that cannot be imported or asked is skipped with a warning and kept in `plugins` with its error,
    so that a later 'unknown name' can say what may be missing.  A plugin given to the registry must be sound.

    Args:
        *plugins: Modules or objects with hook implementations, registered before the installed ones.
        installed: Also load every entry point of group ``onnxpress``.

    Raises:
        InvalidPlugin: A given plugin implements a hook that does not exist, or one with other parameters.
        Conflict: Two plugins have the same name.
    """

    def __init__(self, *plugins: object, installed: bool = True) -> None:
        self.manager = pluggy.PluginManager("onnxpress")
        self.manager.add_hookspecs(hookspecs)
        self.plugins: list[Plugin] = []
        for plugin in plugins:
            name = getattr(plugin, "__name__", type(plugin).__name__)
            self._claim(name, GIVEN)
            self._register(plugin, name, GIVEN)
        if installed:
            for distribution, entry in _entry_points():
                source = f"{distribution.name} {distribution.version}"
                self._claim(entry.name, source)
                self._load(entry, source)

    @property
    def broken(self) -> list[Plugin]:
        """The plugins that did not load."""
        return [plugin for plugin in self.plugins if plugin.error is not None]

    def _claim(self, name: str, source: str) -> None:
        for plugin in self.plugins:
            if plugin.name == name:
                raise Conflict(f"two plugins are called {name!r}: of {plugin.source} and {source}; uninstall one")

    def _load(self, entry: EntryPoint, source: str) -> None:
        try:
            module = entry.load()
            if not self.manager.is_registered(module):
                self._register(module, entry.name, source)
        except (Exception, SystemExit) as error:  # a plugin is not ours: any failure is only its own
            self._skip(Plugin(entry.name, source, error))

    def _register(self, plugin: object, name: str, source: str) -> None:
        try:
            self.manager.register(plugin, name=name)
            self.manager.check_pending()
        except pluggy.PluginValidationError as error:
            self.manager.unregister(name=name)
            raise InvalidPlugin(
                f"plugin {name!r} implements a hook that does not exist: {' '.join(str(error).split())}"
            ) from error
        self.plugins.append(Plugin(name, source))

    def _skip(self, broken: Plugin) -> None:
        self.plugins = [plugin for plugin in self.plugins if plugin.name != broken.name] + [broken]
        log.warning("skipping plugin %r of %s: %s", broken.name, broken.source, broken.reason)

    def offers(self, kind: type[K]) -> Iterator[tuple[str, K]]:
        """Everything of one kind as ``(plugin name, record)``, in order of registration.

        Raises:
            InvalidPlugin: The hook of a given plugin fails, or yields something else.
        """
        hook: pluggy.HookCaller = getattr(self.manager.hook, HOOKS[kind])
        for implementation in list(hook.get_hookimpls()):
            plugin = next(plugin for plugin in self.plugins if plugin.name == implementation.plugin_name)
            try:
                items = _ask(implementation, kind)
            except InvalidPlugin as error:
                if plugin.source == GIVEN:
                    raise
                self.manager.unregister(name=plugin.name)
                self._skip(replace(plugin, error=error))
            else:
                yield from ((plugin.name, item) for item in items)

    def all(self, kind: type[K]) -> dict[str, K]:
        """Everything of one kind, by name, sorted.

        Raises:
            Conflict: Two plugins offer the same name.
        """
        found: dict[str, tuple[K, str]] = {}
        for plugin, item in self.offers(kind):
            if item.name in found:
                raise Conflict(
                    f"{kind.label} {item.name!r} is offered by both {found[item.name][1]!r} and {plugin!r}; "
                    "uninstall one"
                )
            found[item.name] = item, plugin
        return {name: found[name][0] for name in sorted(found)}

    def get(self, kind: type[K], name: str) -> K:
        """The one of `kind` called `name`.

        Raises:
            UnknownName: Nobody offers it; the message names the nearest one and the plugins that did not load.
        """
        known = self.all(kind)
        if name in known:
            return known[name]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
        lost = "".join(
            f" (plugin {plugin.name!r} of {plugin.source} did not load: {plugin.reason})" for plugin in self.broken
        )
        raise UnknownName(f"no {kind.label} is called {name!r}; {hint}{lost}")


def _entry_points() -> list[tuple[Distribution, EntryPoint]]:
    found = {
        (distribution.name, entry.name): (distribution, entry)
        for distribution in distributions()
        for entry in distribution.entry_points
        if entry.group == GROUP
    }
    return [found[key] for key in sorted(found)]


def _ask(implementation: pluggy.HookImpl, kind: type[K]) -> list[K]:
    hook = f"{HOOKS[kind]} of plugin {implementation.plugin_name!r}"
    try:
        items = list(cast(Iterable[object], implementation.function()))
    except Exception as error:  # a hook is not ours: whatever it raises is the plugin's failure
        raise InvalidPlugin(f"{hook} failed: {type(error).__name__}: {error}") from error
    for item in items:
        if not isinstance(item, kind):
            raise InvalidPlugin(f"{hook} must yield {kind.__name__}, not {type(item).__name__}")
    return cast(list[K], items)
