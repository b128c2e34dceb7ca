"""The ResNet50 on ImageNet of many published pipelines, cut after its third stage."""

from __future__ import annotations

from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import IMAGENET_MEAN, IMAGENET_STD, NATURAL_IMAGES, EncoderSpec
from scangen_bundle.encoders.timm_loading import make_timm_encoder

register(
    EncoderSpec(
        name="resnet50",
        family="torchvision",
        domain=NATURAL_IMAGES,
        library="timm",
        hub_id="timm/resnet50.tv_in1k",
        revision="main",
        architecture="resnet50",
        kwargs={"features_only": True, "out_indices": (3,)},
        ignored_keys=("layer4.", "fc."),
        poolings={"gap": 1024},
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        interpolation="bilinear",
        licence="BSD-3-Clause",
        parameters=8.543,  # 25.557 of the whole less 14.965 of the fourth stage and 2.049 of the classifier
        note="ImageNet, not pathology.",
    )
)(make_timm_encoder)
