"""Ways to choose the range of a tensor from calibration samples, one a file."""
