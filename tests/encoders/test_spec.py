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
