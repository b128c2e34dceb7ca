"""The Markdown table holds each figure with its interval, its baseline once, and no measure that nobody has."""

from scangen_bundle.encoder_benchmark.entries import entry
from scangen_bundle.encoder_benchmark.leaderboard_text import markdown_table


def test_table_has_a_row_per_measure_and_a_column_per_encoder():
    content = {
        "encoders": {
            "uni": {"figures": {"cka": entry(0.5, 0.25, 0.75, 0.1), "downstream/flip_rate": entry(0.25, baseline=0.9)}},
            "colour": {
                "figures": {"cka": entry(0.25, baseline=0.1), "downstream/flip_rate": entry(0.5, baseline=0.94)}
            },
            "gone": {"figures": {"cka": entry(reason="no pairs"), "retrieval/top1": entry(reason="no pairs")}},
        }
    }
    assert markdown_table(content, ["cka", "retrieval/top1", "downstream/flip_rate"]).splitlines() == [
        "|  | uni | colour | gone | baseline |",
        "| --- | --- | --- | --- | --- |",
        "| CKA | 0.500 (0.250–0.750) | 0.250 | undefined | 0.100 |",
        "| flip rate | 0.250 | 0.500 | undefined | 0.900 to 0.940 |",
    ]
