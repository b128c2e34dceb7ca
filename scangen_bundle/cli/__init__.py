"""The command `scangen`. Nothing here imports torch or MONAI before work starts: each word is answered at once."""
