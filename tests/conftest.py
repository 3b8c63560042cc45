"""Settings that every test shares."""

from __future__ import annotations

import os

from hypothesis import settings

# TensorFlow is imported by some tests: oneDNN makes TensorFlow itself differ by up to 1e-2, and it logs a lot.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# A project of its own: end_to_end/test_template_plugin.py installs it and runs its tests.
collect_ignore = ["template_plugin"]

# The same examples in every run, and no deadline: the machine may be busy.
settings.register_profile("onnxpress", derandomize=True, deadline=None, max_examples=60, print_blob=True)
settings.load_profile("onnxpress")
