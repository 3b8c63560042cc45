"""Shapes that ONNX's inference leaves open, and the arithmetic of shapes done when the graph is written."""
