"""Deploy models as frozen graphs of TensorFlow, with the operators of Ascend's adapter, for ATC and for simulation."""
