"""What to learn: the ScanGen loss."""
