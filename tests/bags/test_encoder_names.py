"""Encoders of other tools get our registry's names, and no two that differ share one."""

from __future__ import annotations

import pytest

from scangen_bundle.bags.layouts import plism, slide2vec, slideflow, stamp, trident
from scangen_bundle.bags.layouts.encoder_names import NAMES, registered
from scangen_bundle.encoders import ENCODERS


@pytest.mark.parametrize(
    ("tool", "name", "dim", "expected"),
    [
        ("TRIDENT", "uni_v2", 1536, ("uni2-h", "cls")),
        ("STAMP", "uni2", 1536, ("uni2-h", "cls")),
        ("slide2vec", "uni2", 1536, ("uni2-h", "cls")),
        ("plism-benchmark", "uni2h", 1536, ("uni2-h", "cls")),
        ("slideflow", "UNIFeatures", 1024, ("uni", "cls")),
        # One name, two vectors: D tells the pooling.
        ("STAMP", "virchow2", 1280, ("virchow2", "cls")),
        ("TRIDENT", "virchow2", 2560, ("virchow2", "cls+mean")),
        ("STAMP", "virchow-full", 2560, ("virchow", "cls+mean")),
        ("TRIDENT", "midnight12k", 1536, ("midnight-12k", "cls")),
        ("slide2vec", "midnight", 3072, ("midnight-12k", "cls+mean")),
        ("slide2vec", "h0-mini", 1536, ("h0-mini", "cls+mean")),
        ("plism-benchmark", "h0_mini", 768, ("h0-mini", "cls")),
        # One D, two vectors.
        ("TRIDENT", "hibou_l", 1024, ("hibou-l", "pooler")),
        ("plism-benchmark", "hibou_large", 1024, ("hibou_large", None)),
        ("TRIDENT", "ctranspath", 768, ("chief-ctranspath", None)),
        ("STAMP", "chief-ctranspath", 768, ("chief-ctranspath", None)),
        ("STAMP", "ctranspath", 768, ("ctranspath", "mean")),
        # Neither in the registry, nor of a known D, nor of a known tool.
        ("STAMP", "musk", 2048, ("musk", None)),
        ("TRIDENT", "uni_v1", 0, ("uni", None)),
        ("CLAM", "uni_v1", 1024, ("uni_v1", None)),
    ],
)
def test_a_tools_name_becomes_the_registrys_with_its_pooling(tool, name, dim, expected):
    assert registered(tool, name, dim) == expected


def test_the_table_has_the_tools_and_encoders_that_there_are():
    assert set(NAMES) == {module.TOOL for module in (trident, stamp, slide2vec, slideflow, plism)}
    ours = {name for names in NAMES.values() for name in names.values()}
    assert ours - set(ENCODERS) == {"chief-ctranspath"}
