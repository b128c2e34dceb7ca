"""Measures of an encoder's features, one file each; every file here is found by itself (`measures.feature_measure`)."""
