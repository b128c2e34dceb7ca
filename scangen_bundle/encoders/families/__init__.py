"""The encoders that ship with the package, one file per family: each file registers its encoders when it is imported."""
