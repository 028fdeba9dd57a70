"""Fused passes for CUDA: C++ generated from the Python formulas of a loss, one read of X each."""
