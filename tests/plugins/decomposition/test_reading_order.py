"""The package says what its modules are for, and names them all."""

from __future__ import annotations

import pkgutil
import re

from onnxpress_plugins import decomposition


def test_every_module_is_named() -> None:
    table = re.findall(r"^    +(\w+)|`(\w+)`", decomposition.__doc__ or "", re.MULTILINE)
    found = pkgutil.walk_packages(decomposition.__path__, prefix=f"{decomposition.__name__}.")
    assert {first or second for first, second in table} == {module.name.rpartition(".")[2] for module in found}
