"""ONNX graphs as TensorFlow's: every node lowered by its rule, in the layout that lies best, without TensorFlow."""
