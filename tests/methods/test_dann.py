"""DANN: the classifier descends, the network ascends."""

import pytest
import torch

from scangen_bundle.methods import create_method
from scangen_bundle.networks import MaskedMILModel


def built():
    method = create_method("dann")
    MaskedMILModel(2, 4, method=method)
    return method


def test_the_term_is_the_classifiers_cross_entropy():
    method, rows, scanner = built(), torch.randn(5, 96), torch.tensor([0, 1, 2, 1, 0])
    predicted = torch.log_softmax(method.classifier(rows), dim=1)
    expected = -predicted[torch.arange(5), scanner].mean()
    torch.testing.assert_close(method.terms(rows, None, {"scanner": scanner})["dann"], expected)


def test_the_networks_gradient_is_the_classifiers_reversed():
    method, scanner = built(), torch.tensor([0, 1, 2, 1, 0])
    rows = torch.randn(5, 96, requires_grad=True)
    method.terms(rows, None, {"scanner": scanner})["dann"].backward()
    plain = rows.detach().clone().requires_grad_()
    torch.nn.functional.cross_entropy(method.classifier(plain), scanner).backward()
    torch.testing.assert_close(rows.grad, -plain.grad)


def test_its_classifier_learns_with_the_network_and_travels_with_it():
    network = MaskedMILModel(2, 4, method=create_method("dann"))
    assert "method.classifier.0.weight" in dict(network.named_parameters())


def test_more_scanners_than_it_has_room_for_are_refused():
    with pytest.raises(ValueError, match="raise max_scanners"):
        built().terms(torch.randn(1, 96), None, {"scanner": torch.tensor([32])})
