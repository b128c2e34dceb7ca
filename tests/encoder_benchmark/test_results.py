"""What is written: a row per figure, scanner and failure; sentences on what does not compare."""

from scangen_bundle.encoder_benchmark.results import compare_encoders, results_table
from scangen_bundle.statistics.estimate import Estimate


def result(dim=8, scans=4, tiles=40, places=10, mpp=0.5, level="tile"):
    return {
        "encoder": {"dim": dim, "mpp": mpp},
        "counts": {"scans": scans, "tiles": tiles, "places": places},
        "level": level,
        "figures": {"cka": Estimate(0.5, 0.25, 0.75, baseline=0.1).to_json()},
        "scanners": {"downstream/auroc": {"AT2": Estimate(0.75).to_json()}},
    }


def test_table_has_a_row_per_figure_scanner_and_failure():
    table = results_table({"encoders": {"uni": result()}, "failed": {"gone": "no such folder"}})
    rows = (
        table[["encoder", "measure", "scanner", "value"]].astype(object).where(table.notna(), None).to_numpy().tolist()
    )
    assert rows == [
        ["uni", "cka", "", 0.5],
        ["uni", "downstream/auroc", "AT2", 0.75],
        ["gone", "", None, None],
    ]
    assert table.reason[2] == "no such folder"


def test_what_differs_between_encoders_is_a_sentence_each_and_what_does_not_is_none():
    assert compare_encoders({"a": result(), "b": result()}) == []
    found = compare_encoders({"a": result(), "b": result(dim=6), "c": result(tiles=44, mpp=None, level="scan")})
    assert found == [
        "The encoders have vectors of different length. D = 8: a, c; D = 6: b.",
        "The encoders have different numbers of tiles. 10 a scan: a, b; 11 a scan: c.",
        "The encoders have different places. 10 (tile): a, b; 10 (scan): c.",
        "The encoders have different resolutions. 0.5 µm/px: a, b; unknown µm/px: c.",
    ]
