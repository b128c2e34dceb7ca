"""Which scanner made a slide, from the file's own metadata.

Only named metadata fields are looked at: never the label or the macro image, no serial number, nothing about a patient.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# How vendors are written as whole words, after `normalise` ("Rochester" is not Roche). Roche owns Ventana; Leica owns
# Aperio, whose scanners keep their name.
VENDORS = {
    "3dhistech": "3dhistech",
    "mirax": "3dhistech",
    "pannoramic": "3dhistech",
    "panoramic": "3dhistech",
    "aperio": "aperio",
    "scanscope": "aperio",
    "hamamatsu": "hamamatsu",
    "nanozoomer": "hamamatsu",
    "leica": "leica",
    "olympus": "olympus",
    "evident": "olympus",
    "philips": "philips",
    "intellisite": "philips",
    "ventana": "ventana",
    "roche": "ventana",
    "zeiss": "zeiss",
    "axioscan": "zeiss",
}
# Model names as they are written somewhere, as patterns on the normalised text, and the vendor that they imply.
MODELS = (
    (r"\bgt-?450(-?dx)?\b", "gt450", "aperio"),
    (r"\bat-?turbo\b", "at-turbo", "aperio"),
    (r"\bat-?2\b", "at2", "aperio"),
    (r"\bcs-?2\b", "cs2", "aperio"),
    (r"\baperio-?cs\b|\bcpaperiocs\b|\bscanscope-cs\b", "cs", "aperio"),
    (r"\bscanscope-at\b|\baperio-at$", "at", "aperio"),  # "Aperio at our site" names no model
    (r"\b(?:aperio|scanscope)-(xt|gl|os|fl|lv1|t2|t3)\b", r"\1", "aperio"),
    (r"\bscn-?400(f)?\b", "scn400", "leica"),
    (r"\bversa\b", "versa", "leica"),
    (r"\bc13220\b", "s360", "hamamatsu"),
    (r"\bc13239\b", "s210", "hamamatsu"),
    (r"\bc13210\b", "s60", "hamamatsu"),
    # "MD" is the same scanner approved for diagnosis, "v2" a later make of it.
    (r"\bs-?(60|210|360|540)(?:-?v2)?(?:-?md)?\b", r"s\1", "hamamatsu"),
    (r"\b(?:hamamatsu|nanozoomer)-s-?20(?:-?md)?\b", "s20", "hamamatsu"),
    (r"\b(?:hamamatsu|nanozoomer)-sq\b|\bc13140\b", "sq", "hamamatsu"),
    (r"\b(?:hamamatsu|nanozoomer)-xr\b|\bc12000\b", "xr", "hamamatsu"),
    (r"\b2-0-?ht\b|\bc9600\b", "2.0-ht", "hamamatsu"),
    (r"\b2-0-?rs\b|\bc10730\b", "2.0-rs", "hamamatsu"),
    (r"\bdp-?(200|600)\b", r"dp\1", "ventana"),
    (r"\biscan-?(ht|coreo)\b", r"iscan-\1", "ventana"),
    (r"\b(ufs|ultra-fast-scanner)\b", "ufs", "philips"),
    (r"\bsg-?(20|60|300)\b", r"sg\1", "philips"),
    (r"\baxio-?scan-?z-?1\b", "axioscan-z1", "zeiss"),
    (r"\baxio-?scan-?7\b", "axioscan-7", "zeiss"),
    (r"\bvs-?(110|120|200)\b", r"vs\1", "olympus"),
    (r"\bp(1000|250|480)\b|\bpann?oramic-(1000|250|480|scan|desk|midi)\b", r"p\1\2", "3dhistech"),
)
# Where a format says who made it and what it is called.
VENDOR_FIELDS = ("dicom.Manufacturer", "philips.DICOM_MANUFACTURER", "ome.Microscope.Manufacturer", "tiff.Make")
MODEL_FIELDS = (
    "dicom.ManufacturerModelName",
    "aperio.ScannerType",
    "aperio.ScanScope ID",
    "hamamatsu.Product",
    "ventana.ScannerModel",
    "leica.device-model",
    "philips.DICOM_MANUFACTURERS_MODEL_NAME",
    "ome.Microscope.Model",
    "tiff.Model",
)
ZEISS_FIELD = re.compile(r"zeiss\..*Microscopes?\.Microscope.*\.(System|Name)$")
MIRAX_FIELD = re.compile(r"mirax\.(.*\.)?SCANNER_HARDWARE_VERSION$")  # its section's number differs between files
# These may also hold the number of one machine or of a version: they count only where they hold a model that we know.
LOOSE_FIELDS = re.compile(rf"aperio\.ScanScope ID$|{MIRAX_FIELD.pattern}")
FORMATS = {"mirax": "3dhistech", "generic-tiff": "", "dicom": "", "ome-tiff": "", "": ""}


@dataclass(frozen=True)
class ScannerIdentity:
    """Who made the scanner and what it is called, "" where the file does not say."""

    vendor: str
    model: str

    @property
    def name(self) -> str:
        """For example "aperio-at2"; the vendor alone if the model is not known; "" if nothing is."""
        return "-".join(part for part in (self.vendor, self.model) if part)


def normalise(text: str) -> str:
    """Lower case, and everything but letters and digits as one hyphen."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def recognise(text: str) -> ScannerIdentity:
    """Vendor and model in free text such as a manifest's scanner column: "Aperio AT2", "GT450", "NanoZoomer S360"."""
    plain = normalise(text)
    vendor = next((name for word, name in VENDORS.items() if re.search(rf"\b{word}(?![a-z])", plain)), "")
    for pattern, model, maker in MODELS:
        found = re.search(pattern, plain)
        if found and (not vendor or same_vendor(vendor, maker)):
            return ScannerIdentity(maker, found.expand(model))
    return ScannerIdentity(vendor, "")


def same_vendor(one: str, other: str) -> bool:
    """Whether two vendors are one, or Leica and its Aperio, whose scanners are sold under either name."""
    return one == other or {one, other} == {"aperio", "leica"}


def identify_scanner(properties: Mapping[str, str]) -> ScannerIdentity:
    """The scanner of a slide from its reader's `properties`.

    The file format counts as the vendor only where one vendor alone writes it. A model that is not in our list is kept as
    it is written, except in `LOOSE_FIELDS`.
    """
    written_by = properties.get("openslide.vendor", "")
    maker = FORMATS.get(written_by, written_by)
    for field in VENDOR_FIELDS:
        maker = recognise(properties.get(field, "")).vendor or maker
    fields = [*MODEL_FIELDS, *sorted(key for key in properties if ZEISS_FIELD.match(key) or MIRAX_FIELD.match(key))]
    known = [recognise(f"{maker} {properties[field]}") for field in fields if properties.get(field)]
    header = recognise(properties.get("tiff.ImageDescription", "").partition("|")[0]) if maker == "aperio" else None
    for identity in [*known, *([header] if header else [])]:
        if identity.model:
            return identity
    spelled = next(
        (properties[field] for field in fields if properties.get(field) and not LOOSE_FIELDS.match(field)), ""
    )
    model = normalise(spelled)
    maker = maker or recognise(spelled).vendor
    return ScannerIdentity(maker, model.removeprefix(maker).strip("-"))


def compare_scanner(identity: ScannerIdentity, manifest_scanner: str) -> str:
    """Compare what the file says with the manifest's `scanner`.

    Returns:
        "disagreement" if the vendors differ; else "agreement" or "disagreement" by the model where both sides name one,
        and by the vendor where they do not; "unknown" if one side names neither ("scanner B").
    """
    stated = recognise(manifest_scanner)
    if identity.vendor and stated.vendor and not same_vendor(identity.vendor, stated.vendor):
        return "disagreement"
    if identity.model and stated.model:
        return "agreement" if identity.model == stated.model else "disagreement"
    # A model that is not in our list, as the file spells it.
    if identity.model and re.search(rf"\b{re.escape(normalise(identity.model))}\b", normalise(manifest_scanner)):
        return "agreement"
    return "agreement" if identity.vendor and stated.vendor else "unknown"
