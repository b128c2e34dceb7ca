"""Say whether this machine can run the bundle: versions, GPU, slide readers, caches and encoders. Research use only.

It changes nothing and, unless asked with --online, opens no connection. Examples:
  python scripts/doctor.py                     # everything
  python scripts/doctor.py uni2-h virchow      # how to get these two; ends with code 1 unless they could be made here
  python scripts/doctor.py --online virchow    # also ask the hub whether you have passed the gate
  python scripts/doctor.py --markdown          # the table of docs/encoders.md
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scangen_bundle.encoders import ENCODERS, EncoderSpec  # noqa: E402
from scangen_bundle.encoders.availability import check_availability  # noqa: E402
from scangen_bundle.encoders.families.efficientnet_lite import cache_folder  # noqa: E402
from scangen_bundle.encoders.table import encoder_table  # noqa: E402
from scangen_bundle.errors import InputError, report_input_errors  # noqa: E402

OK, NOTE, FAIL = "ok", "note", "FAIL"


class Check(NamedTuple):
    """One row: what was looked at, its state (`FAIL` means that the bundle cannot run), and what was found."""

    subject: str
    state: str
    detail: str


def check_versions(requirements: Path) -> Iterator[Check]:
    """Python, and the installed packages against the pins of requirements.txt."""
    from packaging.requirements import Requirement

    python = platform.python_version()
    yield Check("python", OK if sys.version_info >= (3, 10) else FAIL, f"{python} (3.10 or newer is needed)")
    for line in requirements.read_text(encoding="utf-8").splitlines():
        text = line.split("#", 1)[0].strip()
        if not text:
            continue
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            yield Check(wanted.name, FAIL, f"not installed; pip install '{wanted.name}{wanted.specifier}'")
            continue
        same = wanted.specifier.contains(found, prereleases=True)
        yield Check(wanted.name, OK if same else NOTE, found if same else f"{found}, tested with {wanted.specifier}")


def check_gpu() -> Iterator[Check]:
    """What torch can compute on."""
    if find_spec("torch") is None:
        return
    import torch

    if not torch.cuda.is_available():
        yield Check("GPU", NOTE, f"none; torch is built for CUDA {torch.version.cuda}. Encoding runs on the CPU")
        return
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        yield Check(f"GPU {index}", OK, f"{card.name}, {card.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}")


def check_readers() -> Iterator[Check]:
    """The slide readers; cuCIM is optional."""
    try:
        openslide = import_module("openslide")
        yield Check("reader openslide", OK, f"library {openslide.__library_version__}")
    except (ImportError, OSError) as error:
        yield Check("reader openslide", FAIL, f"{error}; pip install openslide-bin openslide-python")
    try:
        codecs = import_module("imagecodecs")
        import_module("simplejpeg")
        absent = [name for name in ("JPEG2K", "LZW", "DEFLATE") if not getattr(codecs, name).available]
        state = FAIL if absent else OK
        yield Check("reader tifffile", state, f"lacks the codecs {', '.join(absent)}" if absent else "with its codecs")
    except ImportError as error:
        yield Check("reader tifffile", FAIL, f"{error}; pip install tifffile imagecodecs simplejpeg")
    there = find_spec("cucim") is not None
    yield Check("reader cucim", OK if there else NOTE, "installed" if there else "not installed (optional)")


def check_folders() -> Iterator[Check]:
    """The folders that are read from and written to."""
    try:
        own = cache_folder()
    except InputError as error:
        yield Check("cache", FAIL, f"{error.problem}; {error.remedy}")
        return
    nearest = next(folder for folder in (own, *own.parents) if folder.exists())
    writable = nearest.is_dir() and os.access(nearest, os.W_OK)
    yield Check(
        "cache", OK if writable else FAIL, f"{own}" if writable else f"{own} is not writable; set SCANGEN_CACHE"
    )
    if find_spec("huggingface_hub") is not None:
        from huggingface_hub import constants

        yield Check("weights cache", OK, f"{constants.HF_HUB_CACHE} (HF_HOME moves it)")


def ask_hub(spec: EncoderSpec) -> str:
    """Whether the hub would let this user download, as a sentence."""
    from huggingface_hub import HfApi, errors

    try:
        HfApi().auth_check(spec.hub_id)
    except errors.GatedRepoError:
        return f"the hub refuses: ask for access at {spec.url}, then `hf auth login`"
    except errors.RepositoryNotFoundError:
        return f"the hub does not show it to you: {spec.url}"
    except Exception as error:  # a doctor reports, whatever the network does
        return f"the hub cannot be asked: {type(error).__name__}"
    return "the hub grants access"


def check_encoders(specs: list[EncoderSpec], needed: bool, online: bool) -> Iterator[Check]:
    """Each encoder's packages and weights. `needed`: an encoder that is not ready is a failure."""
    for spec in specs:
        ready, detail, remedy = check_availability(spec)
        state = OK if ready else FAIL if needed or spec.built_in else NOTE
        if needed and not ready:
            detail += f" -> {remedy}"
        if online and spec.hub_id:
            detail += f"; {ask_hub(spec)}"
        yield Check(spec.name, state, detail)


def print_checks(checks: Iterator[Check]) -> int:
    """Print one line per check as it comes, and give the number that failed."""
    failed = 0
    for check in checks:
        print(f"{check.state:<5} {check.subject:<32} {check.detail}", flush=True)
        failed += check.state == FAIL
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "encoders", nargs="*", metavar="encoder", help="encoders that must be ready (default: show all)"
    )
    parser.add_argument("--online", action="store_true", help="ask the Hugging Face hub about access")
    parser.add_argument("--markdown", action="store_true", help="print the table of all encoders and stop")
    options = parser.parse_args()
    report_input_errors()
    if options.markdown:
        print(encoder_table(), end="")
        return 0
    named = [ENCODERS[name].spec for name in options.encoders]
    specs = named or [entry.spec for entry in ENCODERS.values()]
    failed = 0
    for title, checks in (
        ("environment", check_versions(ROOT / "requirements.txt")),
        ("hardware", check_gpu()),
        ("slide readers", check_readers()),
        ("folders", check_folders()),
        ("encoders", check_encoders(specs, bool(named), options.online)),
    ):
        print(f"-- {title}")
        failed += print_checks(checks)
    print(f"-- {failed} failed" if failed else "-- all that is needed is here")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
