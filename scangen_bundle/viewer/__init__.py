"""The same tissue on all scanners, side by side, in a browser on this machine. Research use only."""
