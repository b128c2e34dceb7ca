"""To look at: figures, the HTML report, heatmaps.

- `html`: `write_report` of one evaluation, `write_comparison` of two; `table.headline_table` for a terminal.
- `figures`, `curves`, `style`: single figures; `sections`, `page`, `templates`: how the page is put together.
- `heatmap`, `geojson`, `contact_sheet`, `side_by_side`: pictures of slides; `attention_files`: all that an inference writes.

Import from these modules: they need matplotlib.
"""
