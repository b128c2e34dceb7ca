"""H-optimus-0, H-optimus-1 and H0-mini, of Bioptimus."""

from __future__ import annotations

from typing import Any

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import PATHOLOGY, EncoderSpec
from scangen_bundle.encoders.timm_loading import make_timm_encoder

MEAN, STD = (0.707223, 0.578729, 0.703617), (0.211883, 0.230117, 0.177517)
GIANT: dict[str, Any] = {"img_size": 224, "init_values": 1e-5, "dynamic_img_size": False, "num_classes": 0}
MINI: dict[str, Any] = {
    "img_size": 224,
    "init_values": 1e-5,
    "mlp_ratio": 5.33334,
    "mlp_layer": "SwiGLUPacked",
    "act_layer": "silu",
    "num_classes": 0,
}

register(
    EncoderSpec(
        name="h-optimus-0",
        family="Bioptimus",
        domain=PATHOLOGY,
        library="timm",
        hub_id="bioptimus/H-optimus-0",
        revision="main",
        weights_file="pytorch_model.bin",
        architecture="vit_giant_patch14_reg4_dinov2",
        kwargs=GIANT,
        poolings={"cls": 1536, "cls+mean": 3072},
        pooling="cls",
        tile_px=224,
        mean=MEAN,
        std=STD,
        mpp=0.5,
        precision="float16",
        licence="Apache-2.0",
        gated=True,
        parameters=1130,
        note="Access is granted at once when its terms are accepted.",
    ),
    EncoderSpec(
        name="h-optimus-1",
        family="Bioptimus",
        domain=PATHOLOGY,
        library="timm",
        hub_id="bioptimus/H-optimus-1",
        revision="main",
        architecture="vit_giant_patch14_reg4_dinov2",
        kwargs=GIANT,
        poolings={"cls": 1536, "cls+mean": 3072},
        pooling="cls",
        tile_px=224,
        mean=MEAN,
        std=STD,
        mpp=0.5,
        precision="float16",
        licence="CC-BY-NC-ND-4.0",
        gated=True,
        parameters=1130,
        note="Access is granted by hand and may take long.",
    ),
    EncoderSpec(
        name="h0-mini",
        family="Bioptimus",
        domain=PATHOLOGY,
        library="timm",
        hub_id="bioptimus/H0-mini",
        revision="main",
        architecture="vit_base_patch14_reg4_dinov2",
        kwargs=MINI,
        poolings={"cls": 768, "cls+mean": 1536},
        pooling="cls",
        tile_px=224,
        mean=MEAN,
        std=STD,
        mpp=0.5,
        precision="float16",
        licence="CC-BY-NC-ND-4.0",
        gated=True,
        parameters=85.7,
        note="Some tools take cls+mean (1,536) by default, others cls (768).",
    ),
)(make_timm_encoder)
