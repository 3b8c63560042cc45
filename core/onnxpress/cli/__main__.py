"""``python -m onnxpress.cli``."""

from onnxpress.cli import main

main()
