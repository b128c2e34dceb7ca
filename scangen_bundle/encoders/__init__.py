"""Tile to vector: the registry of tile encoders, one file per family."""
