"""Kernels and matrices as products of smaller ones, on plain arrays, and what is known of it afterwards."""
