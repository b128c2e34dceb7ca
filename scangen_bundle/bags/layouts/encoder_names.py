"""What each tool calls the encoders of our registry, so that rows of one manifest may come from several tools.

A name is here where the tool's code loads the same weights, and takes the output that one of the entry's poolings
names. What is not here keeps the tool's own name.
"""

from __future__ import annotations

from scangen_bundle.encoders import ENCODERS

NAMES: dict[str, dict[str, str]] = {
    # https://github.com/mahmoodlab/TRIDENT at a91fa84: trident/patch_encoder_models/load.py, `encoder_registry`
    "TRIDENT": {
        "resnet50": "resnet50",
        "uni_v1": "uni",
        "uni_v2": "uni2-h",
        "conch_v1": "conch",
        "conch_v15": "conch-v1.5",
        "virchow": "virchow",
        "virchow2": "virchow2",
        "gigapath": "prov-gigapath",
        "hoptimus0": "h-optimus-0",
        "hoptimus1": "h-optimus-1",
        "h0-mini": "h0-mini",
        "phikon": "phikon",
        "phikon_v2": "phikon-v2",
        "hibou_l": "hibou-l",
        "midnight12k": "midnight-12k",
        "kaiko-vits16": "kaiko-vits16",
        "kaiko-vits8": "kaiko-vits8",
        "kaiko-vitb16": "kaiko-vitb16",
        "kaiko-vitb8": "kaiko-vitb8",
        "kaiko-vitl14": "kaiko-vitl14",
        "lunit-vits8": "lunit-vits8",
        "gpfm": "gpfm",
        # It loads CHIEF_CTransPath.pth, which has other weights than ours. This is STAMP's name for it.
        "ctranspath": "chief-ctranspath",
    },
    # https://github.com/KatherLab/STAMP at c54ce06 (2.5.0), and up to 2.1 with "mahmood-":
    # src/stamp/preprocessing/config.py, `ExtractorName`
    "STAMP": {
        "ctranspath": "ctranspath",
        "conch": "conch",
        "mahmood-conch": "conch",
        "conch1_5": "conch-v1.5",
        "mahmood-conch1_5": "conch-v1.5",
        "uni": "uni",
        "mahmood-uni": "uni",
        "uni2": "uni2-h",
        "mahmood-uni2": "uni2-h",
        "gigapath": "prov-gigapath",
        "h-optimus-0": "h-optimus-0",
        "h-optimus-1": "h-optimus-1",
        "virchow": "virchow",
        "virchow-full": "virchow",
        "virchow2": "virchow2",
    },
    # https://github.com/clemsgrs/slide2vec at 7cfa6bf: slide2vec/encoders/models/, `register_encoder`
    "slide2vec": {
        "dinov2-vitb14": "dinov2-vitb14",
        "uni": "uni",
        "uni2": "uni2-h",
        "conch": "conch",
        "conchv15": "conch-v1.5",
        "virchow": "virchow",
        "virchow2": "virchow2",
        "gigapath": "prov-gigapath",
        "h-optimus-0": "h-optimus-0",
        "h-optimus-1": "h-optimus-1",
        "h0-mini": "h0-mini",
        "phikon": "phikon",
        "phikonv2": "phikon-v2",
        "hibou-b": "hibou-b",
        "hibou-l": "hibou-l",
        "midnight": "midnight-12k",
        "lunit": "lunit-vits8",
        "gpfm": "gpfm",
        # The tiles of encoders of slides and patients are those of their `tile_encoder`.
        "gigapath-slide": "prov-gigapath",
        "titan": "conch-v1.5",
        "prism": "virchow",
        "prism2": "virchow2",
        "moozy-slide": "lunit-vits8",
        "moozy": "lunit-vits8",
    },
    # https://github.com/jamesdolezal/slideflow at fec8fc5: slideflow/model/extractors/, the class or its registered name;
    # those that slideflow-gpl and slideflow-noncommercial brought along later are in its history
    "slideflow": {
        "VirchowFeatures": "virchow",
        "virchow": "virchow",
        "CTransPathFeatures": "ctranspath",
        "ctranspath": "ctranspath",
        "UNIFeatures": "uni",
        "uni": "uni",
        "GigapathTileFeatures": "prov-gigapath",
        "gigapath.tile": "prov-gigapath",
    },
    # https://github.com/owkin/plism-benchmark at b4f32b7: plismbench/models/__init__.py, `FeatureExtractorsEnum`.
    # Without hibou_base and hibou_large: it takes their class token, where others take the pooler's output of equal D.
    "plism-benchmark": {
        "h0_mini": "h0-mini",
        "hoptimus0": "h-optimus-0",
        "kaiko_vit_base": "kaiko-vitb8",
        "kaiko_vit_large": "kaiko-vitl14",
        "midnight_12k": "midnight-12k",
        "virchow": "virchow",
        "virchow2": "virchow2",
        "provgigapath": "prov-gigapath",
        "conch": "conch",
        "conchv15": "conch-v1.5",
        "uni": "uni",
        "uni2h": "uni2-h",
        "phikon": "phikon",
        "phikonv2": "phikon-v2",
        "gpfm": "gpfm",
        "lunit_vit_small_8": "lunit-vits8",
    },
}


def registered(tool: str, name: str, dim: int) -> tuple[str, str | None]:
    """What our registry calls an encoder, and the pooling that gives vectors of length D.

    The pooling keeps apart what one name stands for in different tools: "virchow2" is 1,280 numbers (cls) in STAMP and
    2,560 (cls+mean) in TRIDENT.

    Args:
        tool: who wrote the file, as in `FeatureBag.tool`.
        name: what it calls the encoder.
        dim: D of its vectors.

    Returns:
        The registry's name and the pooling; the tool's own name where the registry has no such encoder; None for the
        pooling where D does not tell it.
    """
    ours = NAMES.get(tool, {}).get(name)
    if ours is None or ours not in ENCODERS:
        return ours or name, None
    spec = ENCODERS[ours].spec
    fitting = [pooling for pooling, length in spec.poolings.items() if length == dim]
    if spec.pooling in fitting:  # of two with one D, such as Hibou's, the tools above take the usual one
        return ours, spec.pooling
    return ours, fitting[0] if fitting else None
