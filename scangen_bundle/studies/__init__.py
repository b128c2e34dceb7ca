"""Which method makes scanners agree: methods x splits x seeds under one protocol, resumable, on an engine.

It imports nothing: the workers of an engine start with what their function needs, not with tables and pages.
"""
