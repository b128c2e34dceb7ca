"""Feature files as other tools write them, made after their documented layouts (names, shapes, types, attributes)."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import torch

N, D = 12, 6


def arrays(dtype: str = "float32") -> tuple[np.ndarray, np.ndarray]:
    """Features [N, D] and coordinates [N, 2] on a grid of 512 level-0 px."""
    features = np.random.default_rng(0).normal(size=(N, D)).astype(dtype)
    x, y = np.meshgrid(np.arange(4) * 512 + 1024, np.arange(3) * 512 + 2048)
    return features, np.stack([x.ravel(), y.ravel()], axis=1)


def trident(folder: Path, features: np.ndarray | None = None, coords: np.ndarray | None = None) -> Path:
    """HDF5 in chunks of one row; 40x slide, 20x tiles of 256 px, so 512 level-0 px."""
    path = folder / "20x_256px_0px_overlap" / "features_uni_v1" / "slide.h5"
    path.parent.mkdir(parents=True)
    usual = arrays()
    features, coords = usual[0] if features is None else features, usual[1] if coords is None else coords
    with h5py.File(path, "w") as file:
        chunks = (1, features.shape[-1]) if features.ndim == 2 and len(features) else None
        rows = (None, *features.shape[1:]) if chunks else None
        stored = file.create_dataset("features", data=features, chunks=chunks, maxshape=rows)
        stored.attrs.update({"name": "slide", "savetodir": "out", "encoder": "uni_v1"})
        stored = file.create_dataset("coords", data=coords.astype(np.int64))
        stored.attrs.update(
            {
                "patch_size": 256,
                "patch_size_level0": 512,
                "level0_magnification": 40,
                "target_magnification": 20,
                "overlap": 0,
                "name": "slide",
                "savetodir": "None",
                "level0_width": 10_000,
                "level0_height": 8_000,
            }
        )
    return path


def clam(folder: Path, patches: bool = True) -> tuple[Path, Path]:
    """HDF5 and .pt of a slide; `patches/` with 256 px at a level of downsample 2."""
    h5, pt = folder / "feat" / "h5_files" / "slide.h5", folder / "feat" / "pt_files" / "slide.pt"
    h5.parent.mkdir(parents=True)
    pt.parent.mkdir(parents=True)
    features, coords = arrays()
    with h5py.File(h5, "w") as file:
        file.create_dataset("features", data=features, chunks=(4, D), maxshape=(None, D))
        file.create_dataset("coords", data=coords.astype(np.int32), chunks=(4, 2), maxshape=(None, 2))
    torch.save(torch.from_numpy(features), pt)
    if patches:
        (folder / "patches").mkdir()
        with h5py.File(folder / "patches" / "slide.h5", "w") as file:
            stored = file.create_dataset("coords", data=coords.astype(np.int32))
            stored.attrs.update(
                {
                    "patch_size": 256,
                    "patch_level": 1,
                    "downsample": (2.0, 2.0),
                    "downsampled_level_dim": (5000, 4000),
                    "level_dim": (5000, 4000),
                    "name": "slide",
                    "save_path": "out",
                }
            )
    return h5, pt


def stamp(folder: Path, generation: str, **attributes: object) -> Path:
    """HDF5 `feats` float16 with `coords` float32: "current", "2.0", "historic" or "kronos"; with further attributes."""
    path = folder / "uni-0a1b2c3d" / "slide.h5"
    path.parent.mkdir(parents=True)
    features, coords = arrays("float16")
    steps = (coords - coords.min(axis=0)) / 512
    with h5py.File(path, "w") as file:
        if generation == "kronos":
            file["patch_embeddings"] = features
            return path
        file["feats"] = features
        if generation == "historic":
            file["coords"] = (steps * 224).astype(np.float32)
            file.attrs.update(attributes)
            return path
        file["coords"] = (steps * 256.0).astype(np.float32)
        file.attrs["unit"] = "um"
        if generation == "current":
            file.attrs.update(
                {"stamp_version": "2.5.0", "extractor": "uni", "feat_type": "tile", "code_hash": "0a1b2c3d"}
            )
            file.attrs.update({"tile_size_um": 256.0, "tile_size_px": 224})
        else:
            file.attrs.update({"stamp_version": "2.0.0", "extractor": "mahmood-uni-0a1b2c3d", "tile_size": 256.0})
        file.attrs.update(attributes)
    return path


def slide2vec(folder: Path, suffix: str = ".pt", stated_place: bool = False) -> Path:
    """Embeddings with sidecar, coordinates of hs2p in `tiles/`: base 0.2425 µm/px, 0.5 asked for, 224 px tiles."""
    path = folder / "tile_embeddings" / f"slide{suffix}"
    tiles = folder / ("elsewhere" if stated_place else "tiles")
    path.parent.mkdir(parents=True)
    tiles.mkdir()
    features, coords = arrays("float16")
    meta = {
        "artifact_type": "tile_embeddings",
        "encoder_name": "uni2",
        "encoder_level": "tile",
        "feature_dim": D,
        "feature_dtype": "float16",
        "num_tiles": N,
        "requested_spacing_um": 0.5,
        "requested_tile_size_px": 224,
        "read_tile_size_px": 224,
        "encoder_input_size_px": None,
        "tile_size_lv0": 448,
        "backend": "openslide",
        "image_path": "slide.svs",
        "coordinates_npz_path": str(tiles / "slide.coordinates.npz") if stated_place else "",
        "coordinates_meta_path": str(tiles / "slide.coordinates.meta.json") if stated_place else "",
    }
    order = np.lexsort((coords[:, 1], coords[:, 0]))  # hs2p sorts by x, then y
    coords = coords[order]
    if suffix == ".pt":
        torch.save(torch.from_numpy(features[order]), path)
    else:  # rows in another order, which tile_index tells
        shuffled = np.random.default_rng(1).permutation(N)
        np.savez(path, features=features[order][shuffled], tile_index=shuffled.astype(np.int32))
    (path.parent / "slide.meta.json").write_text(json.dumps(meta))
    np.savez(
        tiles / "slide.coordinates.npz",
        tile_index=np.arange(N, dtype=np.int32),
        x=coords[:, 0].astype(np.int64),
        y=coords[:, 1].astype(np.int64),
        tissue_fractions=np.ones(N, np.float32),
    )
    tiling = {
        "requested_tile_size_px": 224,
        "requested_spacing_um": 0.5,
        "read_spacing_um": 0.485,
        "tile_size_lv0": 448,
    }
    about = {"slide": {"base_spacing_um": 0.2425}, "tiling": tiling}
    (tiles / "slide.coordinates.meta.json").write_text(json.dumps(about))
    return path


def slideflow(folder: Path) -> Path:
    """.pt with the tiles' centres in `.index.npz` and `bags_config.json`: 302 µm over 299 px."""
    features, coords = arrays()
    torch.save(torch.from_numpy(features), folder / "slide.pt")
    np.savez(folder / "slide.index.npz", coords + 256)
    config = {
        "extractor": {"class": "slideflow.model.extractors.ctranspath.CTransPathFeatures", "kwargs": {}},
        "normalizer": None,
        "num_features": D,
        "tile_px": 299,
        "tile_um": 302,
    }
    (folder / "bags_config.json").write_text(json.dumps(config))
    return folder / "slide.pt"


def plism(folder: Path) -> Path:
    """A slide's folder of one extractor."""
    path = folder / "h0_mini" / "GIVH_S210_to_GMH_S60.tif" / "features.npy"
    path.parent.mkdir(parents=True)
    features, coords = arrays()
    np.save(path, np.concatenate([np.arange(N)[:, None], coords, features], axis=1).astype(np.float32))
    return path
