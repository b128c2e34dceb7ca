"""The tile encoder of Prov-GigaPath."""

from __future__ import annotations

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.timm_loading import make_timm_encoder
from scangen_bundle.encoders.vit import timm_vit

register(
    timm_vit(
        "prov-gigapath",
        1536,
        family="Prov-GigaPath",
        hub_id="prov-gigapath/prov-gigapath",
        weights_file="pytorch_model.bin",
        architecture="vit_giant_patch14_dinov2",
        # The patches are 16 px, whatever the architecture's name says.
        kwargs={"img_size": 224, "patch_size": 16, "init_values": 1e-5},
        tile_px=256,
        input_px=224,
        licence="Apache-2.0, with research terms at the gate",
        gated=True,
        parameters=1134.953984,  # as the repository's README prints it
        note="It sees the middle 224 px of a tile of 256 px.",
    )
)(make_timm_encoder)
