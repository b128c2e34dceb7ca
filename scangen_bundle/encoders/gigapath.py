"""The tile encoder of Prov-GigaPath."""

from __future__ import annotations

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import IMAGENET_MEAN, IMAGENET_STD, PATHOLOGY, EncoderSpec
from scangen_bundle.encoders.timm_loading import make_timm_encoder

register(
    EncoderSpec(
        name="prov-gigapath",
        family="Prov-GigaPath",
        domain=PATHOLOGY,
        library="timm",
        hub_id="prov-gigapath/prov-gigapath",
        revision="main",
        weights_file="pytorch_model.bin",
        architecture="vit_giant_patch14_dinov2",
        # The patches are 16 px, whatever the architecture's name says.
        kwargs={"img_size": 224, "patch_size": 16, "init_values": 1e-5, "dynamic_img_size": True, "num_classes": 0},
        poolings={"cls": 1536, "cls+mean": 3072},
        pooling="cls",
        tile_px=256,
        input_px=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        mpp=0.5,
        precision="float16",
        licence="Apache-2.0, with research terms at the gate",
        gated=True,
        parameters=1134.953984,  # as the repository's README prints it
        note="It sees the middle 224 px of a tile of 256 px.",
    )
)(make_timm_encoder)
