"""From a file, a folder or an object to a TensorFlow function whose ends carry the user's names."""
