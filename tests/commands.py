"""Run the package's commands in processes that need not import it anew.

A command imports torch, MONAI and MLflow: ten seconds of a core each time. Here one parent process imports them once per
test session and forks a child for each command; the child becomes the command (its arguments, folder, environment, output)
and ends as an interpreter does. `SCANGEN_TEST_FRESH=1` starts every command as a fresh process instead.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import subprocess
import sys
import tempfile
import threading
import time
import types
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
# Importing decides these for good. Packing wants the first ones; the last one keeps CUDA from starting before the fork.
FIXED = {
    "PYTHONHASHSEED": "0",
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")},
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}
# Modules that commands import while they run, and those of ours that cannot be imported without side effects. ONNX Runtime is
# not among them: importing it starts a thread.
MORE = ("monai.bundle.scripts", "mlflow.tracking", "ignite.handlers", "sklearn.metrics", "matplotlib.figure")
LEFT_OUT = ("scangen_bundle.share.served_model",)


class Started:
    """A running command, like `subprocess.Popen`; it writes its output to files.

    Attributes:
        pid: of its process, which leads a session of its own.
        returncode: None while it runs; the negative number of the signal that ended it.
    """

    def __init__(self, command: Sequence[Any], cwd: Any = None, env: Mapping[str, str] | None = None) -> None:
        self.args = [str(word) for word in command]
        assert self.args[0] == sys.executable, self.args
        self.returncode: int | None = None
        self._folder = tempfile.TemporaryDirectory()
        self.stdout, self.stderr = (Path(self._folder.name, name) for name in ("stdout", "stderr"))
        self.pid = ask(
            start=self.args[1:],
            cwd=str(cwd or Path.cwd()),
            env={**(os.environ if env is None else env), **FIXED},
            stdout=str(self.stdout),
            stderr=str(self.stderr),
        )

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = ask(poll=self.pid)
        return self.returncode

    def wait(self, timeout: float = 600) -> int:
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                os.killpg(self.pid, 9)
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(0.005)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float = 600) -> tuple[str, str]:
        """Wait, and give what it wrote to stdout and stderr."""
        self.wait(timeout)
        return self.stdout.read_text(), self.stderr.read_text()


def run(
    command: Sequence[Any],
    cwd: Any = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
    fresh: bool = False,
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` with captured text for `[sys.executable, ...]`; `fresh` starts an interpreter of its own."""
    if fresh or os.environ.get("SCANGEN_TEST_FRESH"):
        words = [str(word) for word in command]
        return subprocess.run(words, cwd=cwd, env=env, timeout=timeout, capture_output=True, text=True, check=False)
    started = Started(command, cwd, env)
    stdout, stderr = started.communicate(timeout)
    assert started.returncode is not None
    return subprocess.CompletedProcess(started.args, started.returncode, stdout, stderr)


_parent: subprocess.Popen[str] | None = None


def ask(**request: Any) -> Any:
    """The parent's answer; it is started at the first call."""
    global _parent
    if _parent is None:
        command = [sys.executable, "-m", "tests.commands"]
        environment = {**os.environ, **FIXED}
        pipe = subprocess.PIPE
        _parent = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)
        atexit.register(_end, _parent)
    assert _parent.stdin is not None
    assert _parent.stdout is not None
    _parent.stdin.write(json.dumps(request) + "\n")
    _parent.stdin.flush()
    return json.loads(_parent.stdout.readline())


def _end(parent: subprocess.Popen[str]) -> None:
    assert parent.stdin is not None
    parent.stdin.close()
    parent.wait()


def import_all() -> None:
    """Import what commands import. Nothing is run: a thread or a device would not survive the fork."""
    import scangen_bundle

    for module in pkgutil.walk_packages(scangen_bundle.__path__, "scangen_bundle."):
        if module.name not in LEFT_OUT and not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
    for name in MORE:
        importlib.import_module(name)
    if os.path.isdir("/proc/self/task"):
        threads = [Path("/proc/self/task", task, "comm").read_text().strip() for task in os.listdir("/proc/self/task")]
        threads.remove("jemalloc_bg_thd")  # Arrow's; it prepares for forks
        assert len(threads) == 1, f"an import started threads, which forks would wait for: {threads}"


def serve(requests: IO[str], answers: IO[str]) -> dict[str, Any] | None:
    """Answer requests until they end. A child comes back from here with the command that it has to become."""
    for line in requests:
        request = json.loads(line)
        if "start" in request:
            answer = os.fork()
            if answer == 0:
                return request
        else:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    return None


def become(request: dict[str, Any]) -> NoReturn:
    """Be the command, and end with its exit code."""
    os.setsid()
    redirect(0, os.devnull, os.O_RDONLY)
    for number, name in ((1, "stdout"), (2, "stderr")):
        redirect(number, request[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    code = 0
    try:
        run_words(request["start"])
    except SystemExit as error:
        code = exit_code(error)
    except BaseException:
        code = 1
        try:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        except SystemExit as error:
            code = exit_code(error)
    # As an interpreter ends, without taking down module by module what the parent imported: that takes seconds.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def redirect(number: int, path: str, flags: int) -> None:
    file = os.open(path, flags)
    os.dup2(file, number)
    os.close(file)


def exit_code(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    print(error.code, file=sys.stderr)
    return 1


def run_words(words: list[str]) -> None:
    """Run what follows `python` on a command line."""
    while words[0] in ("-W", "-X"):
        if words[0] == "-W":
            warnings.simplefilter(words[1])  # type: ignore[arg-type]
        words = words[2:]
    if words[0] == "-m":
        sys.path[0], sys.argv = os.getcwd(), words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        sys.path[0], sys.argv = os.getcwd(), ["-c", *words[2:]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(words[1], "<string>", "exec"), main.__dict__)
    else:
        sys.path[0], sys.argv = str(Path(words[0]).resolve().parent), words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an import prints is no answer
    import_all()
    gc.collect()
    gc.freeze()  # a collection in a child would copy all pages of what was imported
    if (request := serve(sys.stdin, answers)) is not None:
        become(request)
