"""What ScanGen does and does not do, on a cohort at feature level; `python -m studies.evidence` runs it."""
