"""Run the app: `python scripts/deploy_app -i INPUT -o OUTPUT -m MODELS`. Exit code 1: a slide got no result; 2: none could."""

from __future__ import annotations

import ctypes
import site
import sys
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent


def preload_cuda_runtime() -> None:
    """Load libcudart from its wheel where the system has none; holoscan needs it even without a GPU."""
    for packages in site.getsitepackages():
        library = Path(packages, "nvidia", "cu13", "lib", "libcudart.so.13")
        if library.is_file():
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


def main() -> int:
    # In a MAP the library lies beside this file, in the repository two folders above.
    library = HERE if (HERE / "scangen_bundle").is_dir() else HERE.parents[1]
    sys.path[:0] = [str(HERE), str(library)]
    preload_cuda_runtime()

    from app import ScanGenApp
    from monai.deploy.core import Application

    from scangen_bundle.errors import InputError

    with ExitStack() as resources:
        try:
            app = ScanGenApp(Application.init_app_context(None))
            app.prepare(resources)
        except OSError as error:  # the SDK makes the output folder while it reads the options
            print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
            return 2
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        app.run()
    for name, problem in app.problems.items():
        print(f"error: {name}: {problem}", file=sys.stderr)
    print(f"{app.total - len(app.problems)} of {app.total} slides have a result in {app.output}", file=sys.stderr)
    return 1 if app.problems else 0


if __name__ == "__main__":
    sys.exit(main())
