"""A result as DICOM: a TID 1500 report and the attention as a parametric map, both of the source's study."""

from __future__ import annotations

import logging
from typing import Any

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.sr.codedict import codes

from scangen_bundle import __version__
from scangen_bundle.report.heatmap import Heatmap

logging.getLogger("highdicom.base").setLevel(logging.WARNING)  # it would log the UIDs of patients' slides

SCHEME = "99SCANGEN"
SERIES = "CAUTION: research use only, not for diagnosis"
FAR_SERIES = "CAUTION: slide far from training; research use only"
FAR_TITLE = "CAUTION: slide far from training. Imaging measurement report"
MAKER, PRODUCT = "scangen_bundle", "scangen_bundle deploy app"
DEVICE_SERIAL = "research-use-only"


def _code(value: str, meaning: str) -> CodedConcept:
    """A code of our own; DICOM allows 16 and 64 characters."""
    return CodedConcept(value[:16], SCHEME, meaning[:64])


def structured_report(source: Dataset, result: dict[str, Any]) -> Dataset:
    """Comprehensive 3D SR with template TID 1500: the class, its probabilities, and what belongs beside them.

    Args:
        source: header of the slide's instance; it is the evidence, and gives patient and study.
        result: the content of `result.json`.
    """
    one = codes.UCUM.NoUnits
    names = list(result["probability"])
    measured = [
        *((f"P-{c}", f"Probability of {name}", result["probability"][name]) for c, name in enumerate(names)),
        *(
            (f"C-{c}", f"Calibrated probability of {name}", result["calibrated_probability"][name])
            for c, name in enumerate(names)
        ),
        ("NOVELTY", "Distance from validation slides", result["novelty"]["score"]),
        ("NOVELTY-LIMIT", "Limit of the distance", result["novelty"]["threshold"]),
    ]
    flips = result["expected_flip_rate"]
    if flips["value"] is not None:
        low, high = flips["interval"]
        measured += [
            ("FLIP-RATE", "Expected flip rate between scanners", flips["value"]),
            ("FLIP-RATE-LOW", "Lower 95 % limit of the expected flip rate", low),
            ("FLIP-RATE-HIGH", "Upper 95 % limit of the expected flip rate", high),
        ]
    scanner, far = result["scanner"], result["novelty"]["far_from_training"]
    stated = [
        ("CLASS", "Predicted class", f"CLASS-{names.index(result['predicted_class'])}", result["predicted_class"]),
        *(("SET", f"Prediction set at level {result['prediction_set']['level']:g}", f"CLASS-{names.index(name)}", name)
          for name in result["prediction_set"]["classes"]),
        ("SCANNER", "Scanner as identified", "SCANNER-NAME", scanner["identified"] or "not identified"),
        ("SCANNER-KNOWN", "Scanner known to training", "YES" if scanner["known_to_training"] else "NO",
         "Yes" if scanner["known_to_training"] else "No"),
        ("FAR", "Far from training", "YES" if far else "NO", "Yes" if far else "No"),
        ("USE", "Intended use", "RESEARCH", "Research use only, not for diagnosis or treatment"),
    ]  # fmt: skip
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier="slide"),
        source_images=[hd.sr.SourceImageForMeasurementGroup(source.SOPClassUID, source.SOPInstanceUID)],
        measurements=[
            hd.sr.Measurement(name=_code(value, meaning), value=float(number), unit=one)
            for value, meaning, number in measured
        ],
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(name=_code(name, title), value=_code(value, meaning))
            for name, title, value, meaning in stated
        ],
    )
    observer = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=hd.UID(), manufacturer_name=MAKER, model_name=result["model"]["name"]
        ),
    )
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=CodedConcept("104157003", "SCT", "Light microscopy"),
        imaging_measurements=[group],
        title=_code("FAR-REPORT", FAR_TITLE) if far else codes.DCM.ImagingMeasurementReport,
    )
    return hd.sr.Comprehensive3DSR(
        evidence=[source],
        content=report,
        series_instance_uid=hd.UID(),
        series_number=1,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=MAKER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description=series_description(far),
    )


def series_description(far_from_training: bool) -> str:
    """What a viewer lists a result's series by; DICOM allows 64 characters."""
    return FAR_SERIES if far_from_training else SERIES


def attention_map(source: Dataset, heatmap: Heatmap, far_from_training: bool) -> Dataset:
    """Attention as a DICOM parametric map (float32, one frame), placed on the slide as the source is.

    Args:
        source: header of the slide's level-0 instance.
        heatmap: of the slide; raster pixels without a tile become 0.
        far_from_training: the slide is; the title says so.
    """
    row_axis, column_axis = np.reshape(np.asarray(source.ImageOrientationSlide, dtype=float), (2, 3))
    origin = source.get("TotalPixelMatrixOriginSequence")
    names = ("XOffsetInSlideCoordinateSystem", "YOffsetInSlideCoordinateSystem")
    corner = np.array([*(float(origin[0].get(name)) if origin else 0.0 for name in names), 0.0])
    measures = source.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    slide_pixel = np.array(measures.PixelSpacing, dtype=float)[::-1]  # (x, y) mm, whatever mpp the site stated
    pixel = slide_pixel * heatmap.pixel_level0
    # DICOM places a pixel by its centre: half a raster pixel in, half a slide pixel out.
    offset = (pixel - slide_pixel) / 2
    position = corner + row_axis * offset[0] + column_axis * offset[1]
    values = np.nan_to_num(heatmap.values).astype(np.float32)
    top = float(values.max()) or 1.0
    quantity = _code("ATTENTION", "Relative attention, 1 = average tile")
    parametric_map = hd.pm.ParametricMap(
        source_images=[source],
        pixel_array=values[None],
        series_instance_uid=hd.UID(),
        series_number=2,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=PRODUCT,
        software_versions=__version__,
        device_serial_number=DEVICE_SERIAL,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[
            hd.pm.RealWorldValueMapping(
                lut_label="attention",
                lut_explanation="relative attention",
                unit=codes.UCUM.NoUnits,
                value_range=(0.0, top),
                slope=1.0,
                intercept=0.0,
                quantity_definition=quantity,
            )
        ],
        voi_lut_transformations=[
            hd.VOILUTTransformation(
                window_center=top / 2, window_width=top, voi_lut_function=hd.VOILUTFunctionValues.LINEAR_EXACT
            )
        ],
        pixel_measures=hd.PixelMeasuresSequence(
            pixel_spacing=[float(pixel[1]), float(pixel[0])], slice_thickness=0.004
        ),
        plane_orientation=hd.PlaneOrientationSequence(
            hd.CoordinateSystemNames.SLIDE, [*row_axis.tolist(), *column_axis.tolist()]
        ),
        plane_positions=[
            hd.PlanePositionSequence(
                hd.CoordinateSystemNames.SLIDE, image_position=position.tolist(), pixel_matrix_position=(1, 1)
            )
        ],
        content_label="ATTENTION",
        content_description="Attention of the slide classifier",
        series_description=series_description(far_from_training),
    )
    parametric_map.Laterality = ""  # asked for, even of a slide; empty where it is not known
    return parametric_map
