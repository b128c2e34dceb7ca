"""Records of encoders are complete and free of contradictions."""

from dataclasses import replace

import pytest

from scangen_bundle.encoders import ENCODERS, EncoderSpec
from scangen_bundle.encoders.spec import CONTROL, NATURAL_IMAGES, PATHOLOGY

PATHOLOGY_MODELS = [
    "uni",
    "uni2-h",
    "virchow",
    "virchow2",
    "prov-gigapath",
    "h-optimus-0",
    "h-optimus-1",
    "h0-mini",
    "conch",
    "conch-v1.5",
    "phikon",
    "phikon-v2",
    "hibou-b",
    "hibou-l",
    "midnight-12k",
    "gpfm",
    "ctranspath",
    "kaiko-vits16",
    "kaiko-vits8",
    "kaiko-vitb16",
    "kaiko-vitb8",
    "kaiko-vitl14",
    "lunit-vits8",
]


# What the survey of TRIDENT, STAMP, slide2vec and plism-benchmark found of each model: default pooling and its D, px of the
# network, mean of the red channel, precision on a GPU, whether its repository is gated.
IMAGENET, HALF, H_OPTIMUS, HIBOU, LUNIT, CLIP = 0.485, 0.5, 0.707223, 0.7068, 0.70322989, 0.48145466
FIELD = {
    "resnet50": ("gap", 1024, 224, IMAGENET, "float32", False),
    "uni": ("cls", 1024, 224, IMAGENET, "float16", True),
    "uni2-h": ("cls", 1536, 224, IMAGENET, "float16", True),
    "virchow": ("cls+mean", 2560, 224, IMAGENET, "float16", True),
    "virchow2": ("cls+mean", 2560, 224, IMAGENET, "float16", True),
    "prov-gigapath": ("cls", 1536, 224, IMAGENET, "float16", True),
    "h-optimus-0": ("cls", 1536, 224, H_OPTIMUS, "float16", True),
    "h-optimus-1": ("cls", 1536, 224, H_OPTIMUS, "float16", True),
    "h0-mini": ("cls", 768, 224, H_OPTIMUS, "float16", True),
    "conch": ("own", 512, 448, CLIP, "float32", True),
    "conch-v1.5": ("own", 768, 448, IMAGENET, "float16", True),
    "phikon": ("cls", 768, 224, IMAGENET, "float32", False),
    "phikon-v2": ("cls", 1024, 224, IMAGENET, "float32", False),
    "hibou-b": ("pooler", 768, 224, HIBOU, "float16", False),
    "hibou-l": ("pooler", 1024, 224, HIBOU, "float16", True),
    "midnight-12k": ("cls+mean", 3072, 224, HALF, "float16", False),
    "gpfm": ("cls", 1024, 224, IMAGENET, "float32", False),
    "ctranspath": ("mean", 768, 224, IMAGENET, "float32", False),
    "kaiko-vits16": ("cls", 384, 224, HALF, "float32", False),
    "kaiko-vits8": ("cls", 384, 224, HALF, "float32", False),
    "kaiko-vitb16": ("cls", 768, 224, HALF, "float32", False),
    "kaiko-vitb8": ("cls", 768, 224, HALF, "float32", False),
    "kaiko-vitl14": ("cls", 1024, 224, HALF, "float32", False),
    "lunit-vits8": ("cls", 384, 224, LUNIT, "float32", False),
}


@pytest.fixture
def uni() -> EncoderSpec:
    return ENCODERS["uni"].spec


def test_the_registry_holds_the_encoders_of_the_field_and_the_controls():
    by_domain = {domain: {n for n, e in ENCODERS.items() if e.spec.domain == domain} for domain in (PATHOLOGY, CONTROL)}
    assert by_domain[PATHOLOGY] == set(PATHOLOGY_MODELS)
    assert by_domain[CONTROL] == {"random-resnet18", "colour-statistics"}
    assert {n for n, e in ENCODERS.items() if e.spec.domain == NATURAL_IMAGES} == {
        "efficientnet-lite0",
        "resnet50",
        "dinov2-vitb14",
    }


@pytest.mark.parametrize("name", FIELD)
def test_each_encoder_of_the_field_is_what_the_field_makes_of_it(name):
    spec = ENCODERS[name].spec
    found = (spec.pooling, spec.poolings[spec.pooling], spec.input_px, spec.mean[0], spec.precision, spec.gated)
    assert found == FIELD[name]
    assert spec.mpp == 0.5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "UNI/2"),
        ("family", ""),
        ("licence", ""),
        ("revision", ""),
        ("domain", "cats"),
        ("library", "keras"),
        ("precision", "int8"),
        ("interpolation", "nearest"),
        ("poolings", {}),
        ("poolings", {"max": 3}),
        ("poolings", {"cls": 0}),
        ("pooling", "gap"),
        ("tile_px", 0),
        ("input_px", 300),
        ("mpp", 0),
        ("mean", (0.5, 0.5)),
        ("std", (0.5, 0.5, 0.0)),
        ("architecture", ""),
        ("hub_id", ""),
        ("hub_id", "https://huggingface.co/MahmoodLab/UNI"),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_named(uni, field, value):
    with pytest.raises(ValueError, match=f"{field} is .*expected"):
        replace(uni, **{field: value})


def test_a_field_left_out_is_an_error():
    with pytest.raises(TypeError, match="licence"):
        EncoderSpec(name="mine")


def test_a_network_of_a_library_needs_mean_and_std(uni):
    with pytest.raises(ValueError, match="mean is None"):
        replace(uni, mean=None)


def test_sizes_left_out_follow_the_tile(uni):
    whole = replace(uni, tile_px=96, resize_px=0, input_px=0)
    assert (whole.resize_px, whole.input_px) == (96, 96)
    assert (uni.tile_px, uni.resize_px, uni.input_px) == (256, 224, 224)


def test_a_spec_cannot_be_changed(uni):
    with pytest.raises(TypeError):
        uni.poolings["cls"] = 7


@pytest.mark.parametrize("spec", [e.spec for e in ENCODERS.values()], ids=lambda spec: spec.name)
def test_cls_mean_is_twice_the_class_token_and_gates_have_pages(spec):
    if "cls+mean" in spec.poolings:
        assert spec.poolings["cls+mean"] == 2 * spec.poolings["cls"]
    if spec.gated:
        assert spec.url == f"https://huggingface.co/{spec.hub_id}"
    if spec.domain != PATHOLOGY and not spec.built_in:
        assert "not pathology" in spec.note
