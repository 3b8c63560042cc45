"""What is known to go wrong on the way from TensorFlow to ONNX, small, with how it is converted and judged."""
