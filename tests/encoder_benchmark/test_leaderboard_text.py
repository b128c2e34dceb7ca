"""The Markdown table holds each figure with its interval, its baseline once, and no measure that nobody has."""

from scangen_bundle.encoder_benchmark.leaderboard_text import markdown_table
from scangen_bundle.measures.feature_measure import feature_measures
from scangen_bundle.statistics.estimate import Estimate, undefined


def entry(value, low=float("nan"), high=float("nan"), baseline=float("nan")):
    return Estimate(value, low, high, baseline=baseline).to_json()


def test_table_has_a_row_per_measure_and_a_column_per_encoder():
    content = {
        "encoders": {
            "uni": {"figures": {"cka": entry(0.5, 0.25, 0.75, 0.1), "downstream/flip_rate": entry(0.25, baseline=0.9)}},
            "colour": {
                "figures": {"cka": entry(0.25, baseline=0.1), "downstream/flip_rate": entry(0.5, baseline=0.94)}
            },
            "gone": {
                "figures": {"cka": undefined("no pairs").to_json(), "retrieval/top1": undefined("no pairs").to_json()}
            },
        }
    }
    measures = [feature_measures()[key] for key in ("cka", "retrieval/top1", "downstream/flip_rate")]
    assert markdown_table(content, measures).splitlines() == [
        "|  | uni | colour | gone | baseline |",
        "| --- | --- | --- | --- | --- |",
        "| CKA | 0.500 (0.250–0.750) | 0.250 | undefined | 0.100 |",
        "| flip rate | 0.250 | 0.500 | undefined | 0.900 to 0.940 |",
    ]
