"""Predictions keep their identity, whatever the batches were."""

import pandas as pd
import pytest
import torch

from scangen_bundle.errors import find_input_error
from scangen_bundle.training.predictions import PredictionsHandler

from .engines import Bags, Network, make_evaluator


def manifest():
    rows = [
        {
            "slide_id": f"s{i}",
            "specimen_id": f"p{i // 2}",
            "patient_id": f"P{i // 4}",
            "scanner": "AB"[i % 2],
            "label": i % 2,
        }
        for i in range(10)
    ]
    return pd.DataFrame(rows[::-1])


def test_each_scan_has_its_own_row_identity_and_probability(tmp_path):
    network, bags = Network().eval(), Bags()
    handler = PredictionsHandler(manifest(), str(tmp_path / "predictions.csv"))
    make_evaluator(network, [handler]).run()
    written = pd.read_csv(tmp_path / "predictions.csv")
    assert written.slide_id.tolist() == [f"s{i}" for i in range(8)]
    assert written.scanner.tolist() == list("ABABABAB")
    assert written.specimen_id.tolist() == [f"p{i // 2}" for i in range(8)]
    logits = network(bags.image)
    odds = (logits[:, 1] - logits[:, 0]).detach().double()
    assert written.probability.tolist() == pytest.approx((1 / (1 + torch.exp(-odds))).tolist(), abs=1e-7)
    pd.testing.assert_frame_equal(written, pd.read_parquet(tmp_path / "predictions.parquet"))


def test_while_training_only_the_best_epoch_is_kept(tmp_path):
    handler = PredictionsHandler(manifest(), str(tmp_path / "val.csv"), only_best=True)
    network = Network()
    evaluator = make_evaluator(network, [handler])
    kept = []
    for epoch, best in ((1, 1), (2, 1), (3, 3)):
        torch.nn.init.constant_(network.head.bias, epoch)
        network.head.bias.data[1] = -epoch
        evaluator.state.best_metric_epoch = best
        evaluator.run(epoch)
        written = pd.read_csv(tmp_path / "val.csv")
        kept.append(written.probability[0])
        assert set(written.epoch) == {best}
    assert kept[0] == kept[1] > kept[2]


def test_a_run_of_no_scan_is_an_error_that_names_the_file(tmp_path):
    handler = PredictionsHandler(manifest(), str(tmp_path / "predictions.csv"))
    with pytest.raises(ValueError, match=r"no scan was evaluated.*predictions\.csv"):
        handler.write(make_evaluator(Network(), []))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_table_is_told_before_the_network_runs(tmp_path):
    (tmp_path / "out").write_text("a file where a folder should be")
    network, ran = Network(), []
    network.register_forward_hook(lambda *call: ran.append(call))
    handler = PredictionsHandler(manifest(), str(tmp_path / "out" / "predictions.csv"))
    with pytest.raises(FileExistsError) as caught:
        make_evaluator(network, [handler]).run()
    assert str(find_input_error(caught.value)).startswith(f"{tmp_path / 'out'}: file exists -> ")
    assert ran == []
