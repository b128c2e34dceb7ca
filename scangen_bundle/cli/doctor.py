"""Say whether this machine can run the bundle: versions, hardware, slide readers, folders and encoders.

It changes nothing and, unless asked with --online, opens no connection.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from scangen_bundle.errors import InputError
from scangen_bundle.processes import usable_cores
from scangen_bundle.settings.shipped import PACKAGE

if TYPE_CHECKING:
    from scangen_bundle.encoders import EncoderSpec

OK, NOTE, FAIL = "ok", "note", "FAIL"


class Check(NamedTuple):
    """One row: what was looked at, its state (`FAIL` means that the bundle cannot run), and what was found."""

    subject: str
    state: str
    detail: str


def requirement_lines() -> list[str]:
    """The pins of the package: of requirements.txt in a clone, else of what was installed."""
    file = PACKAGE.parent / "requirements.txt"
    if file.is_file():
        return file.read_text(encoding="utf-8").splitlines()
    return [line for line in metadata.requires("scangen-bundle") or () if "extra ==" not in line]


def check_versions(requirements: Sequence[str]) -> Iterator[Check]:
    """Python, and the installed packages against their pins, a requirement in each line."""
    from packaging.requirements import Requirement

    python = platform.python_version()
    yield Check("python", OK if sys.version_info >= (3, 10) else FAIL, f"{python} (3.10 or newer is needed)")
    for line in requirements:
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


def check_hardware() -> Iterator[Check]:
    """Cores, memory, and what torch can compute on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield Check("processor", OK, f"{usable_cores()} cores, {memory:.0f} GiB of memory")
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
    from scangen_bundle.encoders.families.efficientnet_lite import cache_folder

    free = shutil.disk_usage(Path.cwd()).free / 2**30
    yield Check("this folder", OK if free > 5 else NOTE, f"{free:.0f} GiB are free on the disk of {Path.cwd()}")
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


def check_encoders(specs: Sequence[EncoderSpec], needed: bool, online: bool) -> Iterator[Check]:
    """Packages and weights of encoders.

    Args:
        specs: of the encoders.
        needed: they were asked for, so that one that is not ready is a failure; otherwise those are one line together.
        online: ask the hub about access.
    """
    from scangen_bundle.encoders.availability import check_availability

    absent: list[str] = []
    for spec in specs:
        ready, detail, remedy = check_availability(spec)
        if not (ready or needed or spec.built_in or online):
            absent.append(spec.name)
            continue
        state = OK if ready else FAIL if needed or spec.built_in else NOTE
        if needed and not ready:
            detail += f" -> {remedy}"
        if online and spec.hub_id:
            detail += f"; {ask_hub(spec)}"
        yield Check(spec.name, state, detail)
    if absent:
        how = "`scangen doctor NAME` says how to get one"
        yield Check(f"{len(absent)} more encoders", NOTE, f"their weights are not here; {how}: {', '.join(absent)}")


def print_checks(checks: Iterable[Check]) -> int:
    """Print one line per check as it comes, and give the number that failed."""
    failed = 0
    for check in checks:
        click.echo(f"{check.state:<5} {check.subject:<32} {check.detail}")
        failed += check.state == FAIL
    return failed


def examine(encoders: Sequence[str], online: bool) -> int:
    """Print all checks.

    Args:
        encoders: names of those that must be ready; none shows all.
        online: ask the hub about access.

    Returns:
        The number of checks that failed.

    Raises:
        InputError: there is no such encoder.
    """
    from scangen_bundle.encoders import ENCODERS

    named = [ENCODERS[name].spec for name in encoders]
    specs = named or [entry.spec for entry in ENCODERS.values()]
    failed = 0
    for title, checks in (
        ("environment", check_versions(requirement_lines())),
        ("hardware", check_hardware()),
        ("slide readers", check_readers()),
        ("folders", check_folders()),
        ("encoders", check_encoders(specs, bool(named), online)),
    ):
        click.echo(f"-- {title}")
        failed += print_checks(checks)
    click.echo(f"-- {failed} failed" if failed else "-- all that is needed is here")
    return failed


@click.command("doctor")
@click.argument("encoders", nargs=-1, metavar="[ENCODER]...")
@click.option("--online", is_flag=True, help="Ask the Hugging Face hub about access.")
@click.option("--markdown", is_flag=True, help="Print the table of all encoders, and stop.")
def command(encoders: tuple[str, ...], online: bool, markdown: bool) -> None:
    """Can this machine run it? Versions, readers, encoders.

    With names of encoders it ends with 1 unless they could be made here.
    """
    if markdown:
        from scangen_bundle.encoders.table import encoder_table

        click.echo(encoder_table(), nl=False)
        return
    if examine(encoders, online):
        click.get_current_context().exit(1)
