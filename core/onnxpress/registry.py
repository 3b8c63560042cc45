"""Finds plugins, asks each what it adds, and looks names up."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import cast

import pluggy

from onnxpress import hookspecs
from onnxpress.errors import Conflict, InvalidPlugin, UnknownName
from onnxpress.kinds import Backend, Frontend, K, Kind, Observer, Pass, Report, Target

GROUP = "onnxpress"
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
    error: Exception | None = None


class Registry:
    """The installed plugins and what they offer.

    A plugin that cannot be imported is skipped with a warning and kept in `plugins` with its error, so that a later
    'unknown name' can say what may be missing.

    Args:
        *plugins: Modules or objects with hook implementations, registered before the installed ones.
        installed: Also load every entry point of group ``onnxpress``.

    Raises:
        InvalidPlugin: A plugin implements a hook that does not exist.
    """

    def __init__(self, *plugins: object, installed: bool = True) -> None:
        self.manager = pluggy.PluginManager("onnxpress")
        self.manager.add_hookspecs(hookspecs)
        self.plugins: list[Plugin] = []
        for plugin in plugins:
            self._register(plugin, getattr(plugin, "__name__", type(plugin).__name__), "given")
        if installed:
            for distribution, entry in _entry_points():
                self._load(entry, f"{distribution.name} {distribution.version}")

    @property
    def broken(self) -> list[Plugin]:
        """The plugins that did not load."""
        return [plugin for plugin in self.plugins if plugin.error is not None]

    def _load(self, entry: EntryPoint, source: str) -> None:
        if self.manager.has_plugin(entry.name):
            raise Conflict(f"two plugins are called {entry.name!r}, the later one from {source}; uninstall one")
        try:
            module = entry.load()
            if self.manager.is_registered(module):
                return
            self._register(module, entry.name, source)
        except Exception as error:  # a plugin is not ours: any failure is only its own
            self.plugins.append(Plugin(entry.name, source, error))
            log.warning("skipping plugin %r of %s: %s", entry.name, source, error)

    def _register(self, plugin: object, name: str, source: str) -> None:
        self.manager.register(plugin, name=name)
        try:
            self.manager.check_pending()
        except pluggy.PluginValidationError as error:
            self.manager.unregister(plugin)
            raise InvalidPlugin(f"plugin {name!r} implements a hook that does not exist: {error}") from error
        self.plugins.append(Plugin(name, source))

    def offers(self, kind: type[K]) -> Iterator[tuple[str, K]]:
        """Everything of one kind as ``(plugin name, record)``, in order of registration.

        Raises:
            InvalidPlugin: A hook yields something else.
        """
        hook: pluggy.HookCaller = getattr(self.manager.hook, HOOKS[kind])
        for implementation in hook.get_hookimpls():
            items = cast(Iterable[object], implementation.function())
            for item in items:
                if not isinstance(item, kind):
                    raise InvalidPlugin(
                        f"{hook.name} of plugin {implementation.plugin_name!r} must yield {kind.__name__}, "
                        f"not {type(item).__name__}"
                    )
                yield implementation.plugin_name, item

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
            f" (plugin {plugin.name!r} of {plugin.source} did not load: {plugin.error})" for plugin in self.broken
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
