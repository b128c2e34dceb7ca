"""What holds of every method, alone and combined, and how one is chosen by name."""

from dataclasses import replace

import pytest
import torch
import yaml

from scangen_bundle.errors import InputError
from scangen_bundle.methods import METHODS, Combined, Method, Needs, create_method, fit_method, scanner_keys
from scangen_bundle.methods.standardise import Standardise
from scangen_bundle.networks import MaskedMILModel
from tests.conftest import ROOT

from .scans import random_scans

FEATURES = 4


class Double(Method):
    """Doubles features and bags; has a term, and a parameter."""

    name, title, needs, views = "double", "two of each", Needs(pairs=True), 2

    def build(self, features, embedding, classes):
        self.factor = torch.nn.Parameter(torch.tensor(2.0))

    def transform(self, x, mask, scanner):
        return self.factor * x

    def augment(self, item, generator):
        return {**item, "image": 2 * item["image"]}

    def terms(self, embedding, logits, batch):
        return {"double": self.factor * embedding.mean()}


class Mean(Method):
    """Subtracts the mean of the scans that it is fitted on."""

    name, title = "mean", "no mean"

    def build(self, features, embedding, classes):
        self.register_buffer("mean", torch.zeros(features))

    def fit(self, scans):
        self.seen = [scan.scanner for scan in scans]
        self.mean = torch.cat([scan.read(None) for scan in scans]).mean(dim=0)

    def transform(self, x, mask, scanner):
        return x - self.mean


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_says_what_it_is_and_is_made_with_its_defaults(name):
    method = create_method(name)
    assert method.name == name
    assert method.title
    assert isinstance(method.needs, Needs)
    assert type(method).__doc__


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "methods").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_overlay_names_a_method_with_its_defaults(path):
    overlay = yaml.safe_load(path.read_text())
    assert overlay.keys() == {"method", "method_options"}
    assert overlay["method"] == path.stem
    defaults = create_method(path.stem)
    given = create_method(path.stem, overlay["method_options"])
    assert vars_of(given) == vars_of(defaults)


def vars_of(method):
    plain = (int, float, str, tuple, type(None))
    return {name: value for name, value in vars(method).items() if isinstance(value, plain)}


def test_every_method_has_its_overlay():
    assert {path.stem for path in (ROOT / "configs" / "methods").glob("*.yaml")} == set(METHODS)


def test_an_unknown_method_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"method 'scangan': no method has this name -> did you mean scangen.*plain"):
        create_method("scangan")
    with pytest.raises(InputError, match=r"method 'scangan'"):
        create_method("standardise+scangan")


def test_wrong_options_are_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"method 'scangen': has no option wieght -> its options are alpha, .*weight"):
        create_method("scangen", {"scangen": {"wieght": 3}})
    with pytest.raises(InputError, match=r"method 'scangen': expected alpha from 0 to 1, got 7 -> correct"):
        create_method("scangen", {"scangen": {"alpha": 7}})
    with pytest.raises(InputError, match=r"--method_options: is for standardise, the method is scangen"):
        create_method("scangen", {"standardise": {}})
    with pytest.raises(InputError, match="names scangen more than once"):
        create_method("scangen+scangen")


def test_options_reach_the_method_of_their_name():
    method = create_method("standardise + scangen", {"scangen": {"weight": 7.0}, "standardise": {"fewest_patients": 2}})
    assert method.name == "standardise+scangen"
    first, second = method.members()
    assert first.needs.patients_per_scanner == 2
    assert second.weight == 7.0
    assert method.needs == Needs(pairs=True, scanner_name=True, new_scans=True, patients_per_scanner=2)


def test_a_combination_transforms_and_augments_in_its_order():
    for order, expected in (((Double(), Mean()), 5.0), ((Mean(), Double()), 4.0)):
        method = Combined(order)
        MaskedMILModel(2, FEATURES, method=method)
        for member in method.members():
            if isinstance(member, Mean):
                member.mean = torch.ones(FEATURES)
        assert (method.transform(torch.full((1, 2, FEATURES), 3.0), None, None) == expected).all()
        assert method.views == 2
        assert method.augment({"image": torch.ones(1)}, torch.Generator())["image"] == 2


def test_each_method_of_a_combination_is_fitted_on_what_those_before_it_give():
    scans = random_scans()
    method = Combined([Standardise(), Mean()])
    MaskedMILModel(2, FEATURES, method=method)
    fit_method(method, scans)
    given = [method.transform(scan.read(None)[None], None, scanner_keys([scan.scanner]))[0] for scan in scans]
    torch.testing.assert_close(torch.cat(given).mean(dim=0), torch.zeros(FEATURES), atol=1e-5, rtol=0)


def test_scans_on_scanners_held_out_reach_those_methods_alone_that_need_them():
    scans = random_scans(held_out=("b",))
    method = Combined([Standardise(), Mean()])
    MaskedMILModel(2, FEATURES, method=method)
    fit_method(method, scans)
    assert len(method.members()[0].mean) == 3
    assert set(method.members()[1].seen) == {"a", "c"}
    alone = Mean()
    fit_method(alone, scans)
    assert set(alone.seen) == {"a", "c"}


def test_its_parameters_and_buffers_are_the_networks():
    network = MaskedMILModel(2, FEATURES, method=Combined([Double(), Mean()]))
    assert "method.parts.0.factor" in dict(network.named_parameters())
    assert "method.parts.1.mean" in network.state_dict()


def test_a_method_draws_nothing_from_the_generator_of_the_networks_weights():
    weights = []
    for name in METHODS:
        torch.manual_seed(3)
        weights.append(MaskedMILModel(2, FEATURES, method=create_method(name)).net[0].weight)
    assert all(torch.equal(weights[0], other) for other in weights)


def fitted_network(name):
    """A network with the method of this name, fitted on random scans with tiles under virtual scanners."""
    torch.manual_seed(0)
    scans = random_scans(scanners=("a", "b", "c"), features=FEATURES)
    moved = torch.randn(3, 40, FEATURES)
    scans[0] = replace(scans[0], virtual=lambda: (torch.randn(40, FEATURES), moved))
    method = create_method(name)
    network = MaskedMILModel(2, FEATURES, method=method).eval()
    fit_method(method, scans)
    return network


@pytest.mark.parametrize("name", list(METHODS))
def test_what_a_method_fitted_travels_in_the_weights_and_in_torchscript(name):
    network = fitted_network(name)
    image, mask = torch.randn(2, 5, FEATURES), torch.ones(2, 5, dtype=torch.bool)
    scanner = scanner_keys(["a", "c"])
    expected = network(image, mask, scanner)
    fresh = MaskedMILModel(2, FEATURES, method=create_method(name)).eval()
    fresh.load_state_dict(network.state_dict())
    torch.testing.assert_close(fresh(image, mask, scanner), expected)
    scripted = torch.jit.script(network)
    torch.testing.assert_close(scripted(image, mask, scanner), expected)


@pytest.mark.parametrize("name", [name for name in METHODS if create_method(name).needs.scanner_name])
def test_a_method_that_needs_the_scanner_refuses_without_it_and_for_one_it_does_not_know(name):
    network = fitted_network(name)
    image = torch.randn(1, 5, FEATURES)
    with pytest.raises(RuntimeError, match="call it with the scanner"):
        network(image)
    with pytest.raises(RuntimeError, match="was not fitted to the scanner"):
        network(image, None, scanner_keys(["elsewhere"]))


@pytest.mark.parametrize("name", list(METHODS))
def test_the_guide_says_of_every_method_what_it_needs(name):
    rows = [
        line.split("|") for line in (ROOT / "docs" / "methods.md").read_text().splitlines() if line.startswith("| `")
    ]
    cells = {row[1].strip(" `"): row for row in rows}
    needs = create_method(name).needs
    assert cells[name][3].strip().startswith("yes") == needs.pairs
    assert cells[name][4].strip().startswith("yes") == needs.scanner_name
