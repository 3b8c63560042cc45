"""PyTorch to ONNX: capturing a module as an exported program, reading one from a file, translating it, running it."""
