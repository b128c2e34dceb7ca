"""A case's feature bag: opened, or made from the slide exactly as for the model's training."""

from __future__ import annotations

import math
from pathlib import Path

from case import BAG, DICOM, Case

from scangen_bundle.bags import open_bag
from scangen_bundle.share.slide_features import SlideFeatures


class BagMaker:
    """Gives every case its bag.

    Args:
        slide_features: of the model's training.
        workdir: for the bag of the slide in hand.
        stated_mpp: resolution of level 0 that the site states for its slides, µm/px; NaN takes each file's own.
    """

    def __init__(self, slide_features: SlideFeatures, workdir: Path, stated_mpp: float = math.nan) -> None:
        self.slide_features, self.workdir, self.stated_mpp = slide_features, workdir, stated_mpp

    def __call__(self, case: Case) -> None:
        """Fill `bag`, for a slide also `slide_path` and `header`."""
        if case.kind == BAG:
            case.bag = open_bag(case.paths[0], check_values=True)
            return
        if case.kind == DICOM:
            from dicom_source import find_slide  # needs pydicom, which a site of bags and SVS files can do without

            case.slide_path, case.header = find_slide(case.paths)
        else:
            case.slide_path = case.paths[0]
        case.bag = self.slide_features.write(case.slide_path, self.workdir / "slide.h5", self.stated_mpp)
