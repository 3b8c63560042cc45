"""TFLite files: read in Python, densified, and traced as a TensorFlow function, which the mapping takes from there."""
