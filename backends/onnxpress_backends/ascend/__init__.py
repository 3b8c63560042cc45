"""Models for Ascend's NPUs: the files of its compression toolkit, from quantised graphs of any origin."""
