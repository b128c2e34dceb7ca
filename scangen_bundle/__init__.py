"""Measure and mend scanner sensitivity of computational pathology. Research use only, not a medical device."""

__version__ = "0.1.0"

RESEARCH_USE_ONLY = "Research use only. Not a medical device; not for diagnosis or treatment."
