"""The networks and pictures that the benchmarks measure on, rebuilt from PyPI packages alone."""
