"""UNI and UNI2-h, of the Mahmood Lab. Terms: their gate counts models trained on their outputs as derivatives."""

from __future__ import annotations

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import IMAGENET_MEAN, IMAGENET_STD, PATHOLOGY, EncoderSpec
from scangen_bundle.encoders.timm_loading import make_timm_encoder

NOTE = "Models trained on its outputs fall under its terms."

register(
    EncoderSpec(
        name="uni",
        family="Mahmood Lab",
        domain=PATHOLOGY,
        library="timm",
        hub_id="MahmoodLab/UNI",
        revision="main",
        weights_file="pytorch_model.bin",
        architecture="vit_large_patch16_224",
        kwargs={"init_values": 1e-5, "dynamic_img_size": True, "num_classes": 0},
        poolings={"cls": 1024, "cls+mean": 2048},
        pooling="cls",
        tile_px=256,
        resize_px=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        interpolation="bilinear",
        mpp=0.5,
        precision="float16",
        licence="CC-BY-NC-ND-4.0",
        gated=True,
        parameters=303.4,
        note=NOTE,
    ),
    EncoderSpec(
        name="uni2-h",
        family="Mahmood Lab",
        domain=PATHOLOGY,
        library="timm",
        hub_id="MahmoodLab/UNI2-h",
        revision="main",
        weights_file="pytorch_model.bin",
        architecture="vit_giant_patch14_224",
        kwargs={
            "img_size": 224,
            "patch_size": 14,
            "depth": 24,
            "num_heads": 24,
            "embed_dim": 1536,
            "mlp_ratio": 5.33334,
            "mlp_layer": "SwiGLUPacked",
            "act_layer": "silu",
            "init_values": 1e-5,
            "no_embed_class": True,
            "reg_tokens": 8,
            "dynamic_img_size": True,
            "num_classes": 0,
        },
        poolings={"cls": 1536, "cls+mean": 3072},
        pooling="cls",
        tile_px=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        interpolation="bilinear",
        mpp=0.5,
        precision="float16",
        licence="CC-BY-NC-ND-4.0",
        gated=True,
        parameters=681.4,
        note=NOTE,
    ),
)(make_timm_encoder)
