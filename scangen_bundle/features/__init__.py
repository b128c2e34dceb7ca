"""Vectors on disk: the feature-bag store, import of other tools' layouts, extraction, the resolution audit."""
