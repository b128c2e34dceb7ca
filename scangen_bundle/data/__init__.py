"""Bags to batches: the bag dataset, the specimen-by-scanner sampler, collate."""
