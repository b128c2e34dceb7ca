"""ScanGenLoss beside an oracle that goes from pair to pair."""

import pytest
import torch

from scangen_bundle.methods import ScanGenLoss, create_method

from .oracle import scangen_oracle

KINDS = [(distance, repel) for distance in ("cosine", "euclidean") for repel in ("scanner", "label")]


def draw(seed, size, specimens=4, scanners=3, features=6):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(size, features, generator=generator, dtype=torch.float64)
    integers = [
        torch.randint(low, high, (size,), generator=generator) for low, high in ((0, specimens), (0, scanners), (-1, 2))
    ]
    return z, *integers


def assert_equals_oracle(z, specimen, scanner, label, alpha=0.16, margin=1.0, distance="cosine", repel="scanner"):
    ours, theirs = z.clone().requires_grad_(), z.clone().requires_grad_()
    terms = ScanGenLoss(alpha, margin, distance, repel).terms(ours, specimen, scanner, label)
    loss, attraction, repulsion, attracted, repelled = scangen_oracle(
        theirs, specimen, scanner, label, alpha, margin, distance, repel
    )
    assert (int(terms.attracted), int(terms.repelled)) == (attracted, repelled)
    for value, expected in ((terms.loss, loss), (terms.attraction, attraction), (terms.repulsion, repulsion)):
        torch.testing.assert_close(value.double(), expected, atol=1e-6, rtol=0)
    terms.loss.backward()
    loss.backward()
    assert torch.isfinite(ours.grad).all()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-6, rtol=0)
    return attracted, repelled


@pytest.mark.parametrize(("distance", "repel"), KINDS)
def test_value_and_gradient_equal_the_oracles_on_random_batches(distance, repel):
    pairs = torch.zeros(2)
    for seed in range(40):
        margin = 1.0 if distance == "cosine" else 4.0
        batch = draw(seed, size=1 + seed % 17)
        alpha = (0.0, 0.16, 0.5, 1.0)[seed % 4]
        pairs += torch.tensor(assert_equals_oracle(*batch, alpha=alpha, margin=margin, distance=distance, repel=repel))
    assert (pairs > 50).all()  # the comparison was not one of empty sums


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_float32_agrees_with_the_float64_oracle(distance):
    for seed in range(10):
        z, specimen, scanner, label = draw(seed, size=18)
        z = z.float().double()
        single = z.float().requires_grad_()
        double = z.clone().requires_grad_()
        loss = ScanGenLoss(distance=distance)(single, specimen, scanner, label)
        expected = scangen_oracle(double, specimen, scanner, label, kind=distance)[0]
        loss.backward()
        expected.backward()
        torch.testing.assert_close(loss.double(), expected, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(single.grad.double(), double.grad, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("distance", "repel"), KINDS)
@pytest.mark.parametrize(
    ("specimen", "scanner"),
    [
        pytest.param([0], [0], id="a single scan"),
        pytest.param([0, 0, 0], [0, 1, 2], id="one specimen: nothing repels"),
        pytest.param([0, 1, 2, 3], [0, 0, 0, 0], id="one scanner: nothing attracts"),
        pytest.param([0, 1, 2], [0, 1, 2], id="neither kind of pair"),
        pytest.param([0, 0, 1], [1, 1, 1], id="a specimen twice on one scanner"),
    ],
)
def test_missing_pairs_contribute_zero_with_a_finite_gradient(specimen, scanner, distance, repel):
    z = draw(3, size=len(specimen))[0]
    label = torch.tensor([index % 2 for index in specimen])
    assert_equals_oracle(z, torch.tensor(specimen), torch.tensor(scanner), label, distance=distance, repel=repel)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_equal_embeddings_have_the_gradient_of_the_formulas_limit(distance):
    z = draw(5, size=6)[0]
    z[1], z[2], z[3] = z[0], z[0], 2 * z[0]
    specimen, scanner = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 1, 0, 1, 0, 1])
    assert_equals_oracle(z, specimen, scanner, specimen % 2, distance=distance)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_an_embedding_of_zeros_does_not_explode(distance):
    z = draw(6, size=4)[0].float()
    z[0] = 0
    z.requires_grad_()
    loss = ScanGenLoss(distance=distance)(z, torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1]))
    loss.backward()
    assert torch.isfinite(loss)
    assert z.grad.abs().max() < 10


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_half_precision_embeddings_are_computed_in_float32(dtype, distance):
    z, specimen, scanner, _ = draw(7, size=16)
    half = z.to(dtype).requires_grad_()
    exact = half.detach().double().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = ScanGenLoss(distance=distance)(half, specimen, scanner)
    expected = scangen_oracle(exact, specimen, scanner, kind=distance)[0]
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), expected, atol=1e-6, rtol=1e-6)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(half.grad, exact.grad.to(dtype), atol=1e-6, rtol=2 * torch.finfo(dtype).eps)


def test_unlabelled_scans_take_part_in_the_scanner_term_but_repel_nobody_by_label():
    z, specimen, scanner, _ = draw(8, size=12)
    unlabelled = torch.full((12,), -1)
    by_scanner = ScanGenLoss().terms(z, specimen, scanner, unlabelled)
    by_label = ScanGenLoss(repel="label").terms(z, specimen, scanner, unlabelled)
    assert int(by_scanner.repelled) > 0
    assert int(by_label.repelled) == 0
    assert int(by_scanner.attracted) == int(by_label.attracted) > 0


@pytest.mark.parametrize("wrong", [{"alpha": 1.1}, {"margin": 0}, {"distance": "manhattan"}, {"repel": "patient"}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ScanGenLoss(**wrong)


def test_repelling_by_label_needs_labels():
    z, specimen, scanner, _ = draw(9, size=4)
    with pytest.raises(ValueError, match="labels"):
        ScanGenLoss(repel="label")(z, specimen, scanner)


def test_the_papers_method_is_the_loss_with_its_published_settings():
    z, specimen, scanner, label = draw(11, size=16)
    method = create_method("scangen-paper")
    terms = method.terms(z, z[:, :2], {"specimen": specimen, "scanner": scanner, "label": label})
    expected = scangen_oracle(torch.nn.functional.normalize(z, dim=1), specimen, scanner, label, 0.16, 1.0)[0]
    torch.testing.assert_close(terms["scangen"].double(), expected, atol=1e-6, rtol=0)
    assert (method.weight, method.warmup_epochs) == (1.0, 0.0)
