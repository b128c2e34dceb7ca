"""Bag to slide: the projector and the masked MILModel."""
