"""To look at: figures, the HTML report, heatmaps.

- `html`: `write_report` of one evaluation, `write_comparison` of two; `table.headline_table` for a terminal.
- `figures`, `curves`, `style`: single figures; `sections`, `page`, `templates`: how the page is put together.
- `heatmap`, `geojson`, `contact_sheet`, `side_by_side`: pictures of slides; `attention_files`: all that an inference writes.
- `run_folder`: reads back what an evaluation wrote.

Import from these modules: they need matplotlib, which whoever only reads a run folder should not pay for.
"""
