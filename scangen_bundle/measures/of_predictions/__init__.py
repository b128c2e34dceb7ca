"""Measures of predictions, one file each; every file here is found by itself (`measures.prediction_measure`)."""
