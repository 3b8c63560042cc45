"""How tensors lie in memory, and how constants are arranged: ONNX's order of axes against TensorFlow's."""
