from __future__ import annotations

import inspect

import pytest

from onnxpress import errors

CLASSES = [item for _, item in inspect.getmembers(errors, inspect.isclass) if item.__module__ == errors.__name__]


def test_every_error_can_be_caught_as_one():
    assert len(CLASSES) > 5
    assert all(issubclass(item, errors.OnnxpressError) for item in CLASSES)


def test_the_base_is_an_ordinary_exception():
    assert issubclass(errors.OnnxpressError, Exception)


@pytest.mark.parametrize("error", CLASSES, ids=lambda item: item.__name__)
def test_every_error_says_what_it_is_for(error: type[Exception]):
    assert error.__doc__
    assert error.__doc__.splitlines()[0].endswith(".")
