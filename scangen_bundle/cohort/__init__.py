"""Who and what: the manifest and its rules, confounding, splits, the phantom cohort."""
