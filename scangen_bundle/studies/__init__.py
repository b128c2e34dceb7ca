"""Which method makes scanners agree: methods x splits x seeds under one protocol, resumable, on an engine."""
