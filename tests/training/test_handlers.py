"""A config lists its handlers by name, so that an overlay adds or changes one without restating the others."""

from monai.bundle import ConfigParser

from scangen_bundle.training import HandlerList
from tests.conftest import ROOT

TRAIN = str(ROOT / "configs" / "train.yaml")


class Recorder:
    def __init__(self, name, seen):
        self.name, self.seen = name, seen

    def attach(self, engine):
        self.seen.append((self.name, engine))


def test_handlers_are_attached_in_their_order():
    seen = []
    HandlerList([Recorder("a", seen), Recorder("b", seen)]).attach("engine")
    assert seen == [("a", "engine"), ("b", "engine")]


def test_every_listed_handler_is_an_entry_of_the_config_and_the_other_way_round():
    config = ConfigParser.load_config_file(TRAIN)
    (listed,) = config["train"]["handlers"]
    assert sorted(listed["handlers"]) == sorted(f"@{name}" for name in config if name.endswith("_handler"))


def test_an_overlay_adds_one_and_changes_one(tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("+train#handlers: [{_target_: my.Handler}]\nprogress_handler#unit: round\n")
    config = ConfigParser.load_config_files([TRAIN, str(overlay)])
    assert config["train"]["handlers"][1] == {"_target_": "my.Handler"}
    assert len(config["train"]["handlers"][0]["handlers"]) == 10
    assert config["progress_handler"]["unit"] == "round"
