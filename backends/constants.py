"""Numbers that fused kernels and the mathematics above them must agree on."""

# Added to the norm of a gradient that is clipped, as PyTorch does: a norm just above the limit
# leaves the gradient slightly shorter than the limit.
NORM_FLOOR = 1e-6

# Of the hash that draws random numbers: the odd integer nearest to 2**32 divided by the golden
# ratio spreads neighbouring places, the others are the finalizer of MurmurHash3.
GOLDEN, MIX_1, MIX_2 = 0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35

# GELU by tanh: 0.5 x (1 + tanh(GELU_SCALE (x + GELU_CUBE x**3))), the first sqrt(2 / pi).
GELU_SCALE, GELU_CUBE = 0.7978845608028654, 0.044715
