"""The package says what its modules are for, and names them all."""

from __future__ import annotations

import pkgutil
import re

from onnxpress_plugins import decomposition


def test_every_module_is_named() -> None:
    listed = set(re.findall(r"^    +(\w+)|`(\w+)`", decomposition.__doc__ or "", re.MULTILINE))
    assert {"".join(names) for names in listed} == {
        module.name for module in pkgutil.iter_modules(decomposition.__path__)
    }
