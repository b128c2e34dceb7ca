"""Several handlers as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ignite.engine import Engine


class Handler(Protocol):
    """What MONAI's engines take."""

    def attach(self, engine: Engine) -> None: ...


class HandlerList:
    """Attach handlers in their order.

    It lets a config list handlers by reference: MONAI's `check_properties` fails on a `train#handlers` whose entries are
    references.

    Args:
        handlers: in the order in which they are called at each event.
    """

    def __init__(self, handlers: Sequence[Handler]) -> None:
        self.handlers = list(handlers)

    def attach(self, engine: Engine) -> None:
        for handler in self.handlers:
            handler.attach(engine)
