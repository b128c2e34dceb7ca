"""Glue to Ignite: ScanGen, per-scanner metrics, MLflow, predictions, report."""
