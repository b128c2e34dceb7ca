"""What is predicted."""

from scangen_bundle.tasks.classification import MaskedCrossEntropy

__all__ = ["MaskedCrossEntropy"]
