"""Numbers that fused kernels and the mathematics above them must agree on."""

# Added to the norm of a gradient that is clipped, as PyTorch does: a norm just above the limit
# leaves the gradient slightly shorter than the limit.
NORM_FLOOR = 1e-6
