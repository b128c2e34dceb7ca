"""Make a cohort of synthetic H&E slides on six virtual scanners."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("phantom")
@click.argument("folder", default="data/phantom")
@click.option("--specimens", default=60, show_default=True, type=click.IntRange(2), help="Each on six scanners.")
@click.option("--seed", default=0, show_default=True, help="Another seed, another cohort.")
@click.option("--workers", type=click.IntRange(1), help="Processes; changes no pixel.  [default: one per core]")
@click.option("--size-um", default=560.0, show_default=True, help="Side of a scan in µm, with glass.")
@click.option("--far", is_flag=True, help="Also on two scanners further out, far-blur and far-colour.")
def command(folder: str, specimens: int, seed: int, workers: int | None, size_um: float, far: bool) -> None:
    """A synthetic cohort to try everything on.

    Each specimen is rendered once (glands, stroma, lymphocytes) and then scanned by every virtual scanner, each with its own
    resolution, colours, sharpness, noise, JPEG quality and stage shift. In specimens with label 1 some glands have enlarged,
    pale nuclei with nucleoli; in both labels some have enlarged nuclei without these two signs, so that size and disorder
    alone do not tell the label. Every third patient has two specimens.

    \b
    Written to FOLDER [default: data/phantom]:
      manifest.csv   one row per scan: what the other commands take
      slides/        pyramidal .svs and .tif files that OpenSlide opens
      truth/         per specimen: phenotype map (PNG: 0 glass, 1 stroma, 2 gland,
                     3 altered gland) and facts (JSON)
      phantom.json   what the cohort was made with
      preview.png    the same field of two specimens on every scanner

    Run it again to resume: finished slides are kept. Other parameters need another folder.
    """
    from scangen_bundle.phantom import FAR_SCANNERS, SCANNERS, make_phantom_cohort

    scanners = (*SCANNERS, *FAR_SCANNERS) if far else SCANNERS
    manifest = make_phantom_cohort(Path(folder), specimens, seed, workers, size_um, scanners=scanners)
    click.echo(f"wrote {manifest}")
