"""The gradient is no longer than asked when the optimizer steps."""

import pytest
import torch
from ignite.engine import Events

from scangen_bundle.training.gradient_clip import GradientClipHandler

from .engines import Network, make_trainer


def norm(network):
    return torch.cat([p.grad.flatten() for p in network.parameters()]).norm()


@pytest.mark.parametrize("steps", [1, 2])
def test_the_step_uses_a_gradient_of_at_most_the_asked_norm(steps):
    network = Network()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    seen = []
    optimizer.register_step_pre_hook(lambda *_: seen.append(float(norm(network))))
    handler = GradientClipHandler(0.01)
    make_trainer(network, optimizer, [handler], max_epochs=3, accumulation_steps=steps).run()
    assert len(seen) == 6 // steps
    assert max(seen) == pytest.approx(0.01, rel=1e-5)


def test_a_short_gradient_is_left_alone():
    gradients = []
    for handlers in ([], [GradientClipHandler(1e6)]):
        network = Network()
        trainer = make_trainer(network, torch.optim.SGD(network.parameters(), lr=0.1), handlers, max_epochs=1)
        trainer.add_event_handler(Events.STARTED, lambda _: torch.manual_seed(0))
        trainer.run()
        gradients.append(network.head.weight.grad.clone())
    assert torch.equal(*gradients)
