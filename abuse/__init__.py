"""Deliberate abuse: kills, damaged inputs and file systems that refuse. `make abuse` prints one table."""
