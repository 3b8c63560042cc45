"""Progress bars on standard error, when it is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from onnxpress.kinds import Progress, Silent


class Bars:
    """A bar, or a spinner where the number of items is unknown, that vanishes when the work is done."""

    @contextmanager
    def task(self, description: str, total: int | None) -> Iterator[Callable[[], None]]:
        """Show one task."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        shown = (*columns, TimeRemainingColumn()) if total is not None else columns[:2]
        with RichProgress(*shown, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(description, total=total)
            yield lambda: bars.advance(task)


def progress() -> Progress:
    """Bars on a terminal, silence elsewhere."""
    return Bars() if sys.stderr.isatty() else Silent()
