"""A method inside MONAI's trainer; ScanGen stands for all that have terms."""

import logging

import pytest
import torch
from ignite.engine import Events
from ignite.handlers import LambdaStateScheduler
from monai.engines import IterationEvents, SupervisedTrainer
from torch.utils.data import DataLoader

from scangen_bundle.data import PrepareBagBatch, collate_bags
from scangen_bundle.errors import InputError
from scangen_bundle.methods.scangen import ScanGen
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.runs import RunFolder, read_checkpoint
from scangen_bundle.tasks import MaskedCrossEntropy
from scangen_bundle.training import CheckpointHandler, FiniteLossHandler, MethodHandler

from ..methods.oracle import scangen_oracle
from ..two_processes import in_two_processes

COORDS = torch.arange(12).reshape(6, 2)


def items(specimens=4, scanners=2):
    """Scans of 4 to 6 tiles, specimen after specimen; tile i lies at the same place in every scan."""
    generator = torch.Generator().manual_seed(0)
    return [
        {
            "image": torch.randn(6 - (specimen + scanner) % 3, 4, generator=generator),
            "coords": COORDS[: 6 - (specimen + scanner) % 3],
            "label": specimen % 2,
            "specimen": specimen,
            "scanner": scanner,
            "slide_id": f"p{specimen}s{scanner}",
        }
        for specimen in range(specimens)
        for scanner in range(scanners)
    ]


def scangen(weight=1.0, warmup_epochs=0, alpha=0.16, **options):
    """ScanGen with the settings of its paper, but for those given."""
    return ScanGen(alpha, weight=weight, warmup_epochs=warmup_epochs, **options)


def make_network():
    torch.manual_seed(0)
    return MaskedMILModel(2, 4, projector_width=8, projector_depth=1, projector_dropout=0.0, attention_width=4)


class Watch:
    """Keeps what the handlers gave in every iteration; the loss before and after them."""

    def __init__(self):
        self.seen = []

    def attach(self, engine):
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine):
        names = ("loss", "loss_task", "loss_scangen", "pairs_attracted", "pairs_repelled")
        self.seen.append({name: float(engine.state.output[name].detach()) for name in names})


def train(handlers, network=None, data=None, batch_size=4, max_epochs=1, lr=0.0, **options):
    network = make_network() if network is None else network
    watch = Watch()
    loader = DataLoader(items() if data is None else data, batch_size=batch_size, collate_fn=collate_bags)
    trainer = SupervisedTrainer(
        "cpu",
        max_epochs,
        loader,
        network,
        torch.optim.SGD(network.parameters(), lr=lr),
        MaskedCrossEntropy(),
        train_handlers=[*handlers, watch],
        prepare_batch=PrepareBagBatch(),
        decollate=False,
        **options,
    )
    trainer.run()
    return trainer, watch.seen


def expected_terms(network, batch, level="slide"):
    """Task loss, ScanGen loss of a batch, with plain calls and the oracle."""
    with torch.no_grad():
        tiles = network.net(batch["image"])
        weights = network.attention(tiles, batch["mask"])
        slides = (weights.unsqueeze(-1) * tiles).sum(dim=1)
        task = torch.nn.functional.cross_entropy(network.myfc(slides), batch["label"])
    ids = [batch["specimen"], batch["scanner"]]
    if level == "patch_mean":
        slides = torch.stack([rows[real].mean(dim=0) for rows, real in zip(tiles, batch["mask"], strict=True)])
    if level == "registered":
        places = {}
        for scan in range(len(tiles)):
            for tile in range(int(batch["mask"][scan].sum())):
                place = (int(batch["specimen"][scan]), *batch["coords"][scan, tile].tolist())
                places.setdefault(place, []).append((tiles[scan, tile], int(batch["scanner"][scan])))
        shared = [(n, *member) for n, group in enumerate(places.values()) if len(group) > 1 for member in group]
        slides = torch.stack([tile for _, tile, _ in shared])
        ids = [torch.tensor([n for n, _, _ in shared]), torch.tensor([scanner for *_, scanner in shared])]
    return float(task), scangen_oracle(slides, *ids)


@pytest.mark.parametrize("level", ["slide", "patch_mean", "registered"])
def test_the_loss_is_the_tasks_plus_the_weighted_oracle(level):
    network = make_network()
    _, seen = train([MethodHandler(scangen(weight=0.7, level=level))], network)
    for first, found in zip((0, 4), seen, strict=True):
        batch = collate_bags(items()[first : first + 4])
        task, (loss, _, _, attracted, repelled) = expected_terms(network, batch, level)
        assert found["loss_task"] == pytest.approx(task, abs=1e-6)
        assert found["loss_scangen"] == pytest.approx(float(loss), abs=1e-6)
        assert found["loss"] == pytest.approx(task + 0.7 * float(loss), abs=1e-6)
        assert (found["pairs_attracted"], found["pairs_repelled"]) == (attracted, repelled)
        assert attracted > 0
        assert repelled > 0


def gradients_of(handlers, **options):
    network = make_network()
    train(handlers, network, **options)
    return [value.grad.clone() for value in network.parameters()]


def gradient_by_hand(data, weight, batches=1):
    """Mean gradient over `batches` equal batches of task + weight * ScanGen."""
    network = make_network()
    size = len(data) // batches
    for first in range(0, len(data), size):
        batch = collate_bags(data[first : first + size])
        tiles = network.net(batch["image"])
        slides = (network.attention(tiles, batch["mask"]).unsqueeze(-1) * tiles).sum(dim=1)
        task = torch.nn.functional.cross_entropy(network.myfc(slides), batch["label"])
        loss = scangen_oracle(slides, batch["specimen"], batch["scanner"])[0].float()
        ((task + weight * loss) / batches).backward()
    return [value.grad for value in network.parameters()]


@pytest.mark.parametrize(
    ("options", "batches"),
    [
        pytest.param({}, 1, id="plain"),
        pytest.param({"accumulation_steps": 2, "batch_size": 4}, 2, id="gradient accumulation"),
        pytest.param({"compile": True, "compile_kwargs": {"backend": "aot_eager"}}, 1, id="torch.compile"),
    ],
)
def test_the_gradient_is_that_of_the_sum(options, batches):
    found = gradients_of([MethodHandler(scangen(weight=2.0))], **{"batch_size": 8, **options})
    for ours, theirs in zip(found, gradient_by_hand(items(), 2.0, batches), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_weight_zero_measures_and_changes_no_gradient():
    _, (found,) = train([MethodHandler(scangen(weight=0))], batch_size=8)
    assert found["loss"] == found["loss_task"]
    assert found["loss_scangen"] > 0
    for ours, theirs in zip(
        gradients_of([MethodHandler(scangen(weight=0))], batch_size=8), gradient_by_hand(items(), 0.0), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-7, rtol=1e-6)


def weights_seen(seen):
    return [(each["loss"] - each["loss_task"]) / each["loss_scangen"] for each in seen]


def test_the_weight_warms_up_linearly_over_iterations():
    _, seen = train([MethodHandler(scangen(weight=2.0, warmup_epochs=2))], max_epochs=3)
    assert weights_seen(seen) == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0, 2.0], abs=1e-4)


def test_an_ignite_scheduler_drives_the_weight():
    class Schedule:
        def attach(self, engine):
            scheduler = LambdaStateScheduler(lambda event: 3.0 / event, "scangen_weight")
            scheduler.attach(engine, Events.EPOCH_STARTED)

    _, seen = train([Schedule(), MethodHandler(scangen())], max_epochs=3, batch_size=8)
    assert weights_seen(seen) == pytest.approx([3.0, 1.5, 1.0], abs=1e-4)


def test_a_batch_without_pairs_is_warned_about_once(caplog):
    with caplog.at_level(logging.WARNING):
        _, seen = train([MethodHandler(scangen())], batch_size=2)  # one specimen on two scanners: nothing repels
    assert [record.message for record in caplog.records if "pair" in record.message] == [
        "a batch has no pairs repelled: that part of the loss is zero for it"
    ]
    assert all(each["pairs_repelled"] == 0 for each in seen)


def test_registered_takes_no_more_places_than_asked_and_needs_two_scans_there():
    data = items(specimens=1)
    data[1]["coords"] = data[1]["coords"] + 1000  # no place in common
    _, (found,) = train([MethodHandler(scangen(level="registered"))], data=data)
    assert (found["loss_scangen"], found["pairs_attracted"]) == (0, 0)
    _, (found,) = train([MethodHandler(scangen(level="registered", max_places=2))], data=items(specimens=1))
    assert found["pairs_attracted"] == 2


@pytest.mark.parametrize("level", ["slide", "patch_mean"])
def test_an_evaluation_within_the_epoch_does_not_disturb(level):
    network = make_network()

    class Evaluate:
        def attach(self, engine):
            engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self)

        def __call__(self, engine):
            with torch.no_grad():
                network(torch.zeros(1, 3, 4))

    assert (
        train([Evaluate(), MethodHandler(scangen(level=level))], network)[1]
        == train([MethodHandler(scangen(level=level))], make_network())[1]
    )


def test_a_name_that_is_no_submodule_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"has no submodule 'backbone'; it has .*embedding"):
        train([MethodHandler(scangen(), embedding="backbone")])


@pytest.mark.parametrize("wrong", [{"weight": -1}, {"warmup_epochs": -1}, {"level": "cell"}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MethodHandler(scangen(**wrong))


def test_a_loss_that_is_not_finite_stops_the_run_with_the_slides_and_keeps_the_checkpoint(tmp_path):
    network = make_network()
    data = items()

    class Spoil:
        def attach(self, engine):
            engine.add_event_handler(Events.EPOCH_STARTED(once=2), self)

        def __call__(self, engine):
            data[5]["image"][0, 0] = torch.inf

    handlers = [Spoil(), MethodHandler(scangen()), FiniteLossHandler(), CheckpointHandler(tmp_path, network, {})]
    with pytest.raises(InputError, match=r"epoch 2, iteration 4") as error:
        train(handlers, network, data, max_epochs=3, lr=0.1)
    assert "p2s0, p2s1, p3s0, p3s1" in str(error.value)
    kept = read_checkpoint(RunFolder(tmp_path).last)
    assert kept["engine"]["iteration"] == 2
    assert all(torch.isfinite(value).all() for value in kept["network"].values())
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())


def test_a_network_in_mixed_precision_has_its_term_computed_in_float32_inside_the_autocast():
    network, kept = make_network(), []

    def half(module, inputs, output):
        kept.append(output.bfloat16())
        return kept[-1]

    network.embedding.register_forward_hook(half)  # what autocast makes of a product

    class Autocast:
        """MONAI's own is CUDA's; here the CPU's surrounds the loss and its handlers in the same way."""

        context = torch.autocast("cpu", dtype=torch.bfloat16)

        def attach(self, engine):
            engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, lambda _: self.context.__enter__())
            engine.add_event_handler(IterationEvents.LOSS_COMPLETED, lambda _: self.context.__exit__(None, None, None))

    network.myfc.bfloat16()
    _, (found,) = train([MethodHandler(scangen()), Autocast()], network, batch_size=8)
    batch = collate_bags(items())
    expected = scangen_oracle(kept[0].detach().double(), batch["specimen"], batch["scanner"])[0]
    assert found["loss_scangen"] == pytest.approx(float(expected), abs=1e-6)
    assert found["loss_scangen"] != pytest.approx(float(expected.bfloat16()), abs=1e-6)
    assert network.net[0].weight.grad.abs().max() > 0


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="MONAI's mixed precision is CUDA's only")
def test_mixed_precision_gives_the_oracles_value_within_half_precision():
    network = make_network().cuda()
    loader = DataLoader(items(), batch_size=8, collate_fn=collate_bags)
    watch = Watch()
    SupervisedTrainer(
        "cuda",
        1,
        loader,
        network,
        torch.optim.SGD(network.parameters(), lr=0.0),
        MaskedCrossEntropy(),
        train_handlers=[MethodHandler(scangen()), watch],
        prepare_batch=PrepareBagBatch(),
        decollate=False,
        amp=True,
    ).run()
    _, (loss, *_) = expected_terms(make_network(), collate_bags(items()))
    assert watch.seen[0]["loss_scangen"] == pytest.approx(float(loss), abs=1e-2)


def gradient_of_share(rank):
    network = make_network()
    model = torch.nn.parallel.DistributedDataParallel(network)
    share = items()[:3] if rank == 0 else items()[3:]  # specimen 1 lies in both
    handler = MethodHandler(scangen(weight=2.0), gather=True)
    loader = DataLoader(share, batch_size=8, collate_fn=collate_bags)
    trainer = SupervisedTrainer(
        "cpu",
        1,
        loader,
        model,
        torch.optim.SGD(model.parameters(), lr=0.0),
        MaskedCrossEntropy(gather=True),
        train_handlers=[handler],
        prepare_batch=PrepareBagBatch(),
        decollate=False,
    )
    trainer.run()
    return [value.grad.numpy() for value in network.parameters()]


def test_two_processes_with_unequal_shares_have_the_gradient_of_one():
    for answer in in_two_processes(gradient_of_share):
        for ours, theirs in zip(answer, gradient_by_hand(items(), 2.0), strict=True):
            torch.testing.assert_close(torch.from_numpy(ours), theirs, atol=1e-6, rtol=1e-5)
