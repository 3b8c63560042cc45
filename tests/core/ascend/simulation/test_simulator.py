from __future__ import annotations

import numpy as np
import pytest

from deploy_models import convolution, every_operator
from onnxpress.ascend.simulation.profiles import PROFILES, Profile
from onnxpress.ascend.simulation.simulator import Simulator
from onnxpress.errors import InvalidData, InvalidModel, UnknownName
from onnxpress.measuring.comparing import compare

X = {"x": np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)}


def test_it_is_a_runner():
    simulator = Simulator(every_operator(), threads=1)
    assert [(port.name, port.shape) for port in simulator.inputs] == [("x", (1, 3, 8, 8))]
    assert [(port.name, port.shape) for port in simulator.outputs] == [("y", (1, 5)), ("z", (1, 6))]
    comparison = compare(simulator, Simulator(every_operator(), "tf", threads=1), [X])
    assert [output.name for output in comparison.outputs] == ["y", "z"]


def test_probes_come_beside_the_outputs_in_the_types_of_the_file():
    simulator = Simulator(every_operator(), threads=1, probes=["q", "c", "d", "a", "m", "mb", "y", "x"])
    assert [port.name for port in simulator.outputs] == ["y", "z"]
    found = {name: array.dtype.name for name, array in simulator.run(X).items()}
    integral = {"q": "int8", "c": "int32", "m": "int32", "mb": "int32"}
    assert found == dict.fromkeys(("y", "z", "d", "a", "x"), "float32") | integral


def test_a_value_that_is_not_there():
    with pytest.raises(InvalidModel, match="the model has no value called 'nothing' under profile 'rint'"):
        Simulator(convolution(), probes=["nothing"])
    with pytest.raises(InvalidModel, match="the model has no value called 'c' under profile 'device'"):
        Simulator(convolution(), "device", probes=["c"])


def test_profiles_by_name_or_of_your_own():
    own = Profile(name="own", summary="ties away, 19 bits", ties="away", deq_scale_mask=0xFFFFE000)
    assert Simulator(convolution(), own, threads=1).run(X)["y"].shape == (1, 4, 8, 8)
    with pytest.raises(UnknownName, match="no profile is called 'npu'"):
        Simulator(convolution(), "npu")


def test_feeds_that_do_not_fit():
    with pytest.raises(InvalidData, match="onnxruntime cannot run the model on these inputs"):
        Simulator(convolution(), threads=1).run({"x": X["x"][:, :2]})


@pytest.mark.parametrize("profile", PROFILES)
def test_threads_do_not_change_a_bit(profile: str):
    one, two = (Simulator(every_operator(), profile, threads=count).run(X) for count in (1, 2))
    for name, array in one.items():
        np.testing.assert_array_equal(two[name], array)


def test_without_overflows_nothing_is_counted():
    simulator = Simulator(every_operator(), threads=1)
    simulator.run(X)
    assert not simulator.overflows
