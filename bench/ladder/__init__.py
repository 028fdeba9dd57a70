"""The ladder: one computation as a loop, vectorized, compiled, fused and on a GPU, timed alike."""
