"""Pixels: readers, resolution, scanner identity, tissue, tiling."""
