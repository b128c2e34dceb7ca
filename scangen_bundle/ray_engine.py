"""Ray as an engine: pieces of work on the nodes of a cluster, or of one that is started here.

It is not installed by default: `pip install "scangen-bundle[cluster]"`.

Ray finds a worker for each piece and repeats pieces of nodes that die. Only pieces and results cross: ids, settings and paths.
The nodes see the files and the package under the same paths.
"""

from __future__ import annotations

import logging
import math
import os
import re
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from scangen_bundle.errors import InputError
from scangen_bundle.processes import UnfitMachine, WorkerDied, usable_cores

logger = logging.getLogger(__name__)

ADDRESS = "RAY_ADDRESS"
RETRIES = 5  # of a piece whose worker or node died
_PATIENCE = 5.0  # seconds for the cluster's head to answer
_LOOK = 2.0  # seconds between looks at which nodes there are


class RayEngine:
    """Runs pieces of work on a Ray cluster.

    Args:
        workers: pieces at once; None: as many as the cluster has room for.
        cpus: processors of a worker.
        gpus: GPUs of a worker, also a fraction.
        address: of the cluster's head; None takes `RAY_ADDRESS`, and starts a cluster on this machine where that is not set.

    Attributes:
        workers: pieces that are worked on at once; it changes as nodes come and go.

    Raises:
        InputError: Ray is not installed, or the address does not answer.
    """

    def __init__(
        self, workers: int | None = None, cpus: float = 1, gpus: float = 0, address: str | None = None
    ) -> None:
        self.cpus, self.gpus, self._most = cpus, gpus, workers
        self._ray = connect(address)
        self._unfit: dict[str, str] = {}
        self._looked = -math.inf
        self.workers = self._look()

    def has_gpus(self) -> bool:
        """Whether a node of the cluster has GPUs."""
        return self._ray.cluster_resources().get("GPU", 0) > 0

    def run(
        self,
        function: Callable[[Any], Any],
        pieces: Iterable[Any],
        report: Callable[[Any, Any], None],
    ) -> None:
        """Work on every piece once; see `studies.engine`.

        Args:
            function: a function of a module, or a `partial` of one. Where it raises `UnfitMachine`, its node gets no further
                pieces, and this piece goes to another one.
            pieces: the next one is asked for when there is room.
            report: called with a piece and its result, in this process. The result is a `WorkerDied` where Ray gave up.

        Raises:
            InputError: no node is fit for the work.
        """
        remote = self._ray.remote(max_calls=0)(_call)
        waiting = iter(pieces)
        again: list[Any] = []
        running: dict[Any, Any] = {}
        try:
            while True:
                while len(running) < 2 * self._look():  # one more for each worker, so that none waits for this process
                    piece = again.pop() if again else next(waiting, None)
                    if piece is None:
                        break
                    running[remote.options(**self._options()).remote(function, piece, self.cpus)] = piece
                if not running:
                    return
                for reference in self._ray.wait(list(running), timeout=_LOOK)[0]:
                    piece = running.pop(reference)
                    result = self._result(reference)
                    if isinstance(result, _Unfit):
                        self._leave_out(result)
                        again.append(piece)
                    else:
                        report(piece, result)
        except BaseException:
            for reference in running:
                self._ray.cancel(reference, force=True)
            raise

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_retries": RETRIES}
        if self._unfit:
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(self._unfit)})"}
        return options

    def _look(self) -> int:
        """Number of workers that there is room for now; nodes come and go."""
        if time.monotonic() > self._looked + _LOOK:
            self._looked = time.monotonic()
            nodes = [node for node in self._ray.nodes() if node["Alive"] and node["NodeID"] not in self._unfit]
            room = sum(map(self._room_on, nodes))
            self.workers = max(1, min(room, self._most or room))
        return self.workers

    def _room_on(self, node: dict[str, Any]) -> int:
        resources = node["Resources"]
        room = resources.get("CPU", 0) / self.cpus
        return int(min(room, resources.get("GPU", 0) / self.gpus) if self.gpus else room)

    def _result(self, reference: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            raise error.cause from error
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError) as error:
            return WorkerDied(f"its worker died {RETRIES + 1} times: {str(error).strip().splitlines()[0]}")

    def _leave_out(self, unfit: _Unfit) -> None:
        if unfit.node not in self._unfit:
            logger.warning("node %s is left out: %s", unfit.host, unfit.problem)
        self._unfit[unfit.node] = f"{unfit.host}: {unfit.problem}"
        self._looked = -math.inf
        if not any(node["Alive"] and node["NodeID"] not in self._unfit for node in self._ray.nodes()):
            raise InputError("engine ray", "no node is fit for this: " + "; ".join(sorted(set(self._unfit.values()))))


class _Unfit:
    """The answer of a node that cannot do such work."""

    def __init__(self, node: str, host: str, problem: str) -> None:
        self.node, self.host, self.problem = node, host, problem


def _call(function: Callable[[Any], Any], piece: Any, cpus: float) -> Any:
    """Runs on the worker."""
    import ray
    import torch

    torch.set_num_threads(max(1, int(cpus)))
    try:
        return function(piece)
    except UnfitMachine as error:
        return _Unfit(ray.get_runtime_context().get_node_id(), socket.gethostname(), str(error))


def connect(address: str | None = None) -> Any:
    """The module ray, connected to a cluster.

    Raises:
        InputError: Ray is not installed, or the address does not answer.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError("engine ray", "Ray is not installed", "pip install 'scangen-bundle[cluster]'") from error
    if ray.is_initialized():
        return ray
    address = address or os.environ.get(ADDRESS)
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    if address in (None, "", "local"):
        options |= {"address": "local", "num_cpus": usable_cores(), "include_dashboard": False}
    else:
        _check_answers(str(address))
        options["address"] = address
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _no_answer(str(address), str(error).strip().splitlines()[0]) from error
    return ray


def _check_answers(address: str) -> None:
    """Ray itself tries for a minute."""
    match = re.fullmatch(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)", address)
    if match is None:
        return  # auto
    try:
        socket.create_connection((match[1], int(match[2])), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise _no_answer(address, str(error)) from error


def _no_answer(address: str, reason: str) -> InputError:
    remedy = f"start the cluster (ray start --head), correct {ADDRESS}, or unset it to start one on this machine"
    return InputError(f"Ray address {address}", f"no cluster answers: {reason}", remedy)
