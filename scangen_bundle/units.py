"""What a resolution in µm/px can be."""

PLAUSIBLE_MPP = (0.05, 5.0)  # the finest and the coarsest that a whole-slide scanner writes, with a wide margin
