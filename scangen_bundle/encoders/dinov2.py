"""DINOv2 on natural images: the control for encoders that are DINOv2 on pathology."""

from __future__ import annotations

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import IMAGENET_MEAN, IMAGENET_STD, NATURAL_IMAGES, EncoderSpec
from scangen_bundle.encoders.timm_loading import make_timm_encoder

register(
    EncoderSpec(
        name="dinov2-vitb14",
        family="Meta",
        domain=NATURAL_IMAGES,
        library="timm",
        hub_id="timm/vit_base_patch14_dinov2.lvd142m",
        revision="main",
        architecture="vit_base_patch14_dinov2",
        # Its position embedding is for 518 px, and is interpolated to the 224 px of the tiles.
        kwargs={"img_size": 518, "dynamic_img_size": True, "num_classes": 0},
        poolings={"cls": 768, "cls+mean": 1536},
        pooling="cls",
        tile_px=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        mpp=0.5,
        precision="float16",
        licence="Apache-2.0",
        gated=False,
        parameters=86.6,
        note="Natural images (LVD-142M), not pathology.",
    )
)(make_timm_encoder)
