"""DINOv2 on natural images: the control for encoders that are DINOv2 on pathology."""

from __future__ import annotations

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import NATURAL_IMAGES
from scangen_bundle.encoders.timm_loading import make_timm_encoder
from scangen_bundle.encoders.vit import timm_vit

register(
    timm_vit(
        "dinov2-vitb14",
        768,
        family="Meta",
        domain=NATURAL_IMAGES,
        hub_id="timm/vit_base_patch14_dinov2.lvd142m",
        architecture="vit_base_patch14_dinov2",
        # Its position embedding is for 518 px, and is interpolated to the 224 px of the tiles.
        kwargs={"img_size": 518},
        licence="Apache-2.0",
        parameters=86.6,
        note="Natural images (LVD-142M), not pathology.",
    )
)(make_timm_encoder)
