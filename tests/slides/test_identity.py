"""Scanner names from metadata as the vendors write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scangen_bundle.slides import ScannerIdentity, compare_scanner, identify_scanner, open_slide
from scangen_bundle.testing import draw_tissue, make_slide
from tests.slides.generated import aperio_description


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({"openslide.vendor": "aperio", "aperio.ScannerType": "GT450"}, "aperio-gt450"),
        ({"openslide.vendor": "aperio", "aperio.ScannerType": "ScanScope XT"}, "aperio-xt"),
        ({"openslide.vendor": "aperio", "aperio.ScannerType": "ScanScope AT"}, "aperio-at"),
        ({"openslide.vendor": "hamamatsu", "tiff.Model": "NanoZoomer S20MD"}, "hamamatsu-s20"),
        ({"openslide.vendor": "aperio", "aperio.ScanScope ID": "CPAPERIOCS"}, "aperio-cs"),
        ({"openslide.vendor": "aperio", "aperio.ScanScope ID": "SS1302"}, "aperio"),  # a machine, not a model
        (
            {"openslide.vendor": "aperio", "tiff.ImageDescription": "Aperio Leica Biosystems GT450 v1.0.1|x"},
            "aperio-gt450",
        ),
        (
            {"openslide.vendor": "hamamatsu", "tiff.Make": "Hamamatsu", "tiff.Model": "NanoZoomer S360"},
            "hamamatsu-s360",
        ),
        ({"openslide.vendor": "hamamatsu", "tiff.Model": "C9600-12"}, "hamamatsu-2.0-ht"),
        ({"openslide.vendor": "hamamatsu", "tiff.Model": "C99999-01"}, "hamamatsu-c99999-01"),
        ({"openslide.vendor": "ventana", "ventana.ScannerModel": "VENTANA DP 200"}, "ventana-dp200"),
        ({"openslide.vendor": "leica", "leica.device-model": "Leica SCN400;Leica SCN"}, "leica-scn400"),
        ({"openslide.vendor": "mirax"}, "3dhistech"),
        (
            {
                "openslide.vendor": "mirax",
                "mirax.NONHIERLAYER_1_SECTION.SCANNER_HARDWARE_VERSION": "PANNORAMIC MIDI II",
            },
            "3dhistech-pmidi",
        ),
        (
            {"openslide.vendor": "mirax", "mirax.NONHIERLAYER_0_SECTION.SCANNER_HARDWARE_VERSION": "P1000"},
            "3dhistech-p1000",
        ),
        # the version of the machine, not a model
        (
            {"openslide.vendor": "mirax", "mirax.NONHIERLAYER_1_SECTION.SCANNER_HARDWARE_VERSION": "1,18,2"},
            "3dhistech",
        ),
        ({"openslide.vendor": "philips", "philips.DICOM_MANUFACTURER": "PHILIPS"}, "philips"),
        (
            {
                "openslide.vendor": "dicom",
                "dicom.Manufacturer": "Roche Diagnostics",
                "dicom.ManufacturerModelName": "VENTANA DP 600",
            },
            "ventana-dp600",
        ),
        (
            {
                "openslide.vendor": "zeiss",
                "zeiss.Information.Instrument.Microscopes.Microscope[0].System": "Axio Scan.Z1",
            },
            "zeiss-axioscan-z1",
        ),
        (
            {"openslide.vendor": "generic-tiff", "tiff.Make": "3DHISTECH", "tiff.Model": "Pannoramic 1000"},
            "3dhistech-p1000",
        ),
        ({"openslide.vendor": "generic-tiff"}, ""),
        ({}, ""),
    ],
)
def test_metadata_gives_a_normalised_name(properties: dict[str, str], name: str) -> None:
    assert identify_scanner(properties).name == name


def test_identity_does_not_depend_on_the_reader_and_keeps_nothing_of_the_patient(tmp_path: Path) -> None:
    image = draw_tissue(300, 300)
    scanner = "ScannerType = GT450|ScanScope ID = SS12035|Filename = Doe_Jane|User = someone"
    path = make_slide(tmp_path / "slide.svs", image, levels=1, description=aperio_description(image, 0.26, scanner))
    identities = {identify_scanner(open_slide(path, backend).properties) for backend in ("openslide", "tifffile")}
    assert identities == {ScannerIdentity("aperio", "gt450")}


def test_the_real_aperio_slides_are_aperio(real_data: Path) -> None:
    for name, expected in (("cmu-1-small-region.svs", "aperio-cs"), ("tcga-cr-7395-01a-01-ts1.svs", "aperio")):
        for backend in ("openslide", "tifffile"):
            assert identify_scanner(open_slide(real_data / "slides" / name, backend).properties).name == expected


@pytest.mark.parametrize(
    ("identity", "manifest", "expected"),
    [
        (ScannerIdentity("aperio", "gt450"), "GT450", "agreement"),
        (ScannerIdentity("aperio", "gt450"), "Leica Aperio GT 450 DX", "agreement"),
        (ScannerIdentity("aperio", "gt450"), "AT2", "disagreement"),
        (ScannerIdentity("aperio", "gt450"), "aperio", "agreement"),
        (ScannerIdentity("aperio", ""), "Aperio AT2", "agreement"),
        (ScannerIdentity("aperio", ""), "leica", "agreement"),
        (ScannerIdentity("aperio", ""), "NanoZoomer S360", "disagreement"),
        (ScannerIdentity("hamamatsu", "s360"), "NanoZoomer 2.0-HT", "disagreement"),
        (ScannerIdentity("hamamatsu", "c99999-01"), "hamamatsu", "agreement"),
        (ScannerIdentity("hamamatsu", "c99999-01"), "C99999-01", "agreement"),
        (ScannerIdentity("ventana", "dp200"), "Roche", "agreement"),
        (ScannerIdentity("3dhistech", "p1000"), "Pannoramic 1000", "agreement"),
        (ScannerIdentity("aperio", "gt450"), "scanner B", "unknown"),
        (ScannerIdentity("", ""), "Aperio AT2", "unknown"),
        (ScannerIdentity("aperio", "cs"), "Aperio CS2", "disagreement"),
        (ScannerIdentity("aperio", "cs2"), "Aperio CS", "disagreement"),
        (ScannerIdentity("aperio", "cs2"), "Aperio ScanScope CS2", "agreement"),
        (ScannerIdentity("aperio", "at2"), "Aperio ScanScope XT", "disagreement"),
        (ScannerIdentity("aperio", "at2"), "Aperio at our site", "agreement"),
        (ScannerIdentity("aperio", "gt450"), "ScanScope AT", "disagreement"),
        (ScannerIdentity("aperio", "at-turbo"), "ScanScope AT Turbo", "agreement"),
        (ScannerIdentity("leica", "versa"), "Aperio VERSA 200", "agreement"),
        (ScannerIdentity("leica", "versa"), "Aperio AT2", "disagreement"),
        (ScannerIdentity("hamamatsu", "xr"), "Aperio XR3", "disagreement"),
        (ScannerIdentity("hamamatsu", "sq"), "Hamamatsu XR", "disagreement"),
        (ScannerIdentity("hamamatsu", "sq"), "squamous site", "unknown"),
        (ScannerIdentity("hamamatsu", "s360"), "Hamamatsu S20", "disagreement"),
        (ScannerIdentity("hamamatsu", "s360"), "NanoZoomer S540MD", "disagreement"),
        (ScannerIdentity("hamamatsu", "s360"), "NanoZoomer S360MD", "agreement"),
        (ScannerIdentity("hamamatsu", "s60"), "NanoZoomer S60v2 MD", "agreement"),
        (ScannerIdentity("hamamatsu", "s210"), "S60", "disagreement"),
        (ScannerIdentity("ventana", "dp200"), "Rochester, scanner 2", "unknown"),
        (ScannerIdentity("ventana", "x9"), "x99", "unknown"),
        (ScannerIdentity("", "x9"), "scanner X9", "agreement"),
    ],
)
def test_the_manifest_is_compared_by_model_and_else_by_vendor(identity, manifest, expected) -> None:
    assert compare_scanner(identity, manifest) == expected
