"""From a TensorFlow function to an ONNX graph."""
