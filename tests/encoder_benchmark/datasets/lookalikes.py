"""Small generated sets in the layouts of the public ones."""

import h5py
import numpy as np
import pandas as pd
from PIL import Image

from scangen_bundle.encoder_benchmark.datasets.plism import SCANNERS, STAINS


def plism_features(folder, stains=STAINS, scanners=SCANNERS, tiles=12, skip=(), scanner_effect=0.0, seed=0):
    """Features in plism-benchmark's layout: the same places on all slides."""
    generator = np.random.default_rng(seed)
    places = np.stack([np.arange(tiles), np.arange(tiles) % 5, np.arange(tiles) // 5], axis=1)
    places = places[np.lexsort((places[:, 2], places[:, 1]))]
    tissue = generator.normal(size=(tiles, 6))
    of_scanner = {name: scanner_effect * generator.normal(size=6) for name in scanners}
    for stain in stains:
        shift = generator.normal(size=6)
        for scanner in scanners:
            if (stain, scanner) in skip:
                continue
            values = tissue + shift + of_scanner[scanner] + 0.05 * generator.normal(size=(tiles, 6))
            path = folder / f"{stain}_{scanner}_to_GMH_S60.tif"
            path.mkdir(parents=True)
            np.save(path / "features.npy", np.concatenate([places, values], axis=1).astype(np.float32))
    return folder


def tissue_picture(generator, side):
    """Blobs of two colours, uint8 [side, side, 3]."""
    coarse = generator.integers(60, 230, size=(side // 8, side // 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def as_scanned(picture, scanner):
    """The picture in a scanner's colours: gamma and gain of each channel by the scanner's number."""
    return (255 * (picture / 255) ** (1 + 0.15 * scanner) * (1 - 0.03 * scanner * np.array([1, 0, 1]))).astype(np.uint8)


def plism_tiles(folder, stains=STAINS, scanners=SCANNERS, tiles=4, side=224):
    generator = np.random.default_rng(1)
    folder.mkdir(parents=True)
    pictures = [tissue_picture(generator, side) for _ in range(tiles)]
    for stain in stains:
        for number, scanner in enumerate(scanners):
            with h5py.File(folder / f"{stain}_{scanner}_to_GMH_S60.tif.h5", "w") as archive:
                for i, picture in enumerate(pictures):
                    archive[f"tile_{i}_{100 * (i % 2)}_{50 * i}"] = as_scanned(picture, number)
    return folder


def scorpion(folder, slides=3, samples=2, side=512, scanners=("AT2", "DP200", "GT450", "P1000", "Philips")):
    generator = np.random.default_rng(2)
    for slide in range(slides):
        for sample in range(samples):
            picture = tissue_picture(generator, side)
            where = folder / f"slide_{slide + 1}" / f"sample_{sample + 1}"
            where.mkdir(parents=True)
            for number, scanner in enumerate(scanners):
                Image.fromarray(as_scanned(picture, number)).save(where / f"{scanner}.jpg", quality=95)
    return folder


def pathorob(folder, key="camelyon", slides=12, patches=5, model="uni2h", skip=()):
    """Metadata and features: each slide of one of two centres, with patches of both classes."""
    generator = np.random.default_rng(3)
    of_class, of_centre = generator.normal(size=(2, 2, 8))
    rows, features = [], {}
    for slide in range(slides):
        centre = slide % 2
        for patch in range(2 * patches):
            kind = patch % 2
            name = f"S-{slide:02d}", f"p{patch}"
            rows.append(["all", *name, ("normal", "tumor")[kind], f"Centre {centre}"])
            vector = 2 * of_class[kind] + of_centre[centre] + generator.normal(size=8)
            if name not in skip:
                features.setdefault(f"Centre_{centre}", {})["-".join(name)] = vector.astype(np.float32)
    (folder / "metadata").mkdir(parents=True)
    table = pd.DataFrame(rows, columns=["subset", "slide_id", "patch_id", "biological_class", "medical_center"])
    table.to_csv(folder / "metadata" / f"{key}.csv", index=False)
    where = folder / "features" / model / key
    where.mkdir(parents=True)
    for centre, vectors in features.items():
        np.savez(where / f"{centre}.npz", **vectors)
    return table, where


def empty_files(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder
