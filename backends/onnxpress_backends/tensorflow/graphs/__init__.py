"""TensorFlow's graphs, functions and files, without TensorFlow."""
