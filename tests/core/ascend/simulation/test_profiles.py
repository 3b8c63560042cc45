from __future__ import annotations

import pytest

from onnxpress.ascend.simulation.profiles import PROFILES, find_profile
from onnxpress.errors import UnknownName


def test_profiles_go_by_their_names():
    assert list(PROFILES) == ["rint", "tf", "device"]
    assert all(find_profile(name).name == name for name in PROFILES)


def test_an_unknown_profile():
    with pytest.raises(UnknownName, match="no profile is called 'ascend'; there are rint, tf, device"):
        find_profile("ascend")
