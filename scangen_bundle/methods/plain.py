"""No method: the network learns the task alone, as the baseline of every comparison."""

from __future__ import annotations

from scangen_bundle.methods.method import Method, register


@register
class Plain(Method):
    """Leaves features, bags and loss as they are."""

    name = "plain"
    title = "the task alone"
