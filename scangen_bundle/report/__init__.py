"""To look at: figures, the HTML report, heatmaps."""
