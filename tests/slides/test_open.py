"""Opening: the reader that is chosen, agreement of the readers, and files that are no good."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import struct
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tifffile

from scangen_bundle.errors import InputError
from scangen_bundle.slides import SlideReader, TileReader, open_slide
from scangen_bundle.slides.reader import UnsupportedLayout
from scangen_bundle.slides.tiff_metadata import PICTURES
from scangen_bundle.testing import draw_tissue, make_slide, pyramid
from tests.slides.generated import aperio_description, leave_out_tiles

IMAGE = draw_tissue()
BACKENDS = ("openslide", "tifffile", "cucim")


def open_all(path: Path) -> dict[str, SlideReader]:
    """Every backend that can read the file; OpenSlide and the automatic choice have to."""
    readers = {"auto": open_slide(path), "openslide": open_slide(path, "openslide")}
    for backend in ("tifffile", "cucim"):
        try:
            readers[backend] = open_slide(path, backend)
        except InputError:
            continue
    return readers


def largest_difference(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other).max())


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("slides")
    made = {
        "0.2465": {"mpp": 0.2465},
        "0.4415": {"mpp": 0.4415},
        "0.504": {"mpp": 0.504},
        "no mpp": {"mpp": None},
        "anisotropic": {"mpp": (0.5, 0.25)},
        "rgb jpeg": {"coding": "rgb"},
        "jpeg 2000": {"coding": "jpeg2000", "description": aperio_description(IMAGE, 0.5)},
        "deflate": {"coding": "deflate"},
        "aperio": {"description": aperio_description(IMAGE, 0.504), "mpp": None},
        "aperio without mpp": {"description": aperio_description(IMAGE, None), "mpp": None},
    }
    return {name: make_slide(folder / f"{name.replace(' ', '_')}.tif", IMAGE, **how) for name, how in made.items()}


NAMES = [
    "0.2465", "0.4415", "0.504", "no mpp", "anisotropic", "rgb jpeg", "jpeg 2000", "deflate", "aperio", "aperio without mpp",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_reader_gives_the_colours_of_the_source_picture(slides: dict[str, Path], name: str) -> None:
    exact = name in ("jpeg 2000", "deflate")
    for reader in open_all(slides[name]).values():
        for level, expected in enumerate(pyramid(IMAGE, 3)):
            x, y = 100 * 2**level, 60 * 2**level
            found = reader.read_region(x, y, level, 100, 80)
            difference = np.abs(found.astype(int) - expected[60:140, 100:200])
            # Quality 95 with halved chroma loses a few grey levels, never a hue.
            assert difference.mean() < (0.01 if exact else 4.0), reader
            assert found.mean((0, 1)) - expected[60:140, 100:200].mean((0, 1)) == pytest.approx(0, abs=1.0), reader


@pytest.mark.parametrize("name", NAMES)
def test_readers_agree_on_levels_resolution_and_pixels(slides: dict[str, Path], name: str) -> None:
    readers = open_all(slides[name])
    assert len(readers) >= 3
    reference = readers["openslide"]
    corners = np.random.default_rng(1).integers(-150, 1000, (12, 2))
    for reader in readers.values():
        assert reader.level_dimensions == reference.level_dimensions
        assert (reader.mpp is None) == (reference.mpp is None) == (name in ("no mpp", "aperio without mpp"))
        assert reader.mpp is None or reader.mpp == pytest.approx(reference.mpp, rel=1e-6)
        for level in range(3):
            expected = reference.read_regions(corners, level, 210, 190)
            assert largest_difference(reader.read_regions(corners, level, 210, 190), expected) <= 2, (reader, level)


def test_readers_agree_on_levels_whose_size_is_not_a_whole_fraction(tmp_path: Path) -> None:
    path = make_slide(tmp_path / "odd.tif", draw_tissue(1099, 901), 0.25)
    readers = open_all(path)
    corners = np.random.default_rng(2).integers(-20, 900, (10, 2))
    for mpp in (0.5, 0.52, 0.98):
        expected = TileReader(readers["tifffile"], mpp, 128).read(corners)
        for reader in readers.values():
            found = TileReader(reader, mpp, 128).read(corners)
            # OpenSlide interpolates there; undoing that leaves three grey levels in one value of 10,000.
            difference = np.abs(found.astype(int) - expected)
            assert difference.max() <= 3, reader
            assert (difference > 2).mean() < 1e-4, reader


def test_outside_the_slide_is_white_and_inside_is_the_picture(slides: dict[str, Path]) -> None:
    for reader in open_all(slides["deflate"]).values():
        corner = reader.read_region(-30, -20, 0, 100, 100)
        assert (corner[:20] == 255).all()
        assert (corner[:, :30] == 255).all()
        np.testing.assert_array_equal(corner[20:, 30:], IMAGE[:80, :70])
        end = reader.read_region(1050, 860, 0, 100, 100)
        assert (end[40:] == 255).all()
        assert (end[:, 50:] == 255).all()
        np.testing.assert_array_equal(end[:40, :50], IMAGE[860:, 1050:])
        assert (reader.read_region(5000, -4000, 1, 30, 20) == 255).all()


@pytest.mark.parametrize("backend", ["auto", *BACKENDS])
def test_many_regions_are_the_single_regions_in_the_order_asked(slides: dict[str, Path], backend: str) -> None:
    if backend == "cucim":
        pytest.importorskip("cucim")
    reader = open_slide(slides["0.504"], backend)
    corners = np.random.default_rng(3).integers(-100, 1000, (30, 2))
    out = np.zeros((30, 70, 90, 3), np.uint8)
    assert reader.read_regions(corners, 0, 90, 70, out=out) is out
    for corner, region in zip(corners.tolist(), out, strict=True):
        np.testing.assert_array_equal(region, reader.read_region(*corner, 0, 90, 70))
    assert reader.read_regions(np.empty((0, 2), np.int64), 0, 90, 70).shape == (0, 70, 90, 3)


def test_auto_says_which_reader_it_took(
    slides: dict[str, Path], real_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "scangen_bundle.slides.open"):
        assert open_slide(slides["aperio"]).backend == "tifffile"
        assert open_slide(real_data / "slides" / "camelyon_h_and_e.dcm").backend == "openslide"
    assert "read with tifffile" in caplog.text
    assert "read with openslide" in caplog.text


def test_an_ome_tiff_is_read_with_all_its_levels(tmp_path: Path) -> None:
    path = tmp_path / "slide.ome.tif"
    full, half = pyramid(IMAGE, 2)
    options = {"tile": (256, 256), "photometric": "rgb", "compression": "deflate"}
    with tifffile.TiffWriter(path, ome=True) as tiff:
        units = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.3, "PhysicalSizeYUnit": "µm"}
        tiff.write(full, subifds=1, metadata={"axes": "YXS", **units}, **options)
        tiff.write(half, subfiletype=1, **options)
    reader = open_slide(path)
    assert reader.backend == "tifffile"
    assert reader.mpp == pytest.approx((0.25, 0.3))
    assert reader.level_dimensions == [(1100, 900), (550, 450)]
    np.testing.assert_array_equal(reader.read_region(200, 100, 1, 64, 48), half[50:98, 100:164])


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("kind", ["aperio", "generic"])
def test_tiles_that_the_slide_leaves_out_are_what_openslide_makes_of_them(
    tmp_path: Path, kind: str, level: int
) -> None:
    """White, but in Aperio slides above level 0, where it is the finer level."""
    description = aperio_description(IMAGE, 0.5) if kind == "aperio" else None
    path = make_slide(tmp_path / "slide.svs", IMAGE, description=description)
    leave_out_tiles(path, level, [0, 1])
    full_tile = pyramid(IMAGE, 2)[level][10:110, 10:210].astype(int)
    readers = open_all(path)
    for reader in readers.values():
        region = reader.read_region(10 * 2**level, 10 * 2**level, level, 200, 100)
        if kind == "aperio" and level:
            assert np.abs(region - full_tile).mean() < 4, reader
        else:
            assert (region == 255).all(), reader
    assert readers["auto"].backend == ("openslide" if kind == "aperio" and level else "tifffile")
    assert "cucim" not in readers


@pytest.mark.parametrize("coding", ["jpeg2000", "webp", "jpegxl", "lzma"])
def test_a_compression_that_only_tifffile_decodes_is_read_with_tifffile(tmp_path: Path, coding: str) -> None:
    path = tmp_path / "slide.tif"
    options = {"compressionargs": {"level": 100}} if coding == "jpeg2000" else {}
    tifffile.imwrite(path, IMAGE, tile=(256, 256), photometric="rgb", metadata=None, compression=coding, **options)
    with pytest.raises(UnsupportedLayout, match=r"Unsupported TIFF compression.*backend tifffile"):
        open_slide(path, "openslide")
    reader = open_slide(path)
    assert reader.backend == "tifffile"
    assert np.abs(reader.read_region(100, 60, 0, 300, 200).astype(int) - IMAGE[60:260, 100:400]).mean() < 1.5


def test_an_aperio_description_that_is_not_utf_8_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "slide.svs"
    text = aperio_description(IMAGE, 0.25, "ScannerType = GT450|User = J\xf6rg|Gr\xf6\xdfe = 5").encode("latin-1")
    tifffile.imwrite(
        path, IMAGE, tile=(256, 256), photometric="rgb", metadata=None, compression="jpeg", description=text
    )
    assert open_slide(path).backend == "tifffile"
    for backend in ("openslide", "tifffile"):
        reader = open_slide(path, backend)
        assert reader.mpp == (0.25, 0.25)
        assert reader.properties["aperio.ScannerType"] == "GT450"


@pytest.mark.parametrize(
    ("told", "mpp"), [("0.25", (0.25, 0.25)), ("0,25", (0.25, 0.25)), ("nan", None), ("?", None), ("", None)]
)
def test_readers_agree_on_an_aperio_resolution_however_it_is_written(tmp_path: Path, told: str, mpp: object) -> None:
    path = make_slide(tmp_path / "slide.svs", IMAGE, mpp=None, levels=1, description=aperio_description(IMAGE, told))
    assert [reader.mpp for reader in open_all(path).values()] == [mpp] * (4 if find_spec("cucim") else 3)


@pytest.mark.parametrize("backend", ["auto", "tifffile", "openslide"])
@pytest.mark.parametrize(("axes", "photometric", "pictures"), [("CYX", "minisblack", 3), ("ZYXS", "rgb", 2)])
def test_an_ome_tiff_of_several_pictures_is_refused_by_its_axes(
    tmp_path: Path, backend: str, axes: str, photometric: str, pictures: int
) -> None:
    path = tmp_path / "several.ome.tif"
    data = np.moveaxis(IMAGE, -1, 0) if axes == "CYX" else np.stack([IMAGE, IMAGE])
    tifffile.imwrite(path, data, ome=True, tile=(256, 256), metadata={"axes": axes}, photometric=photometric)
    # OpenSlide itself gives the first picture: red as grey, or the first plane.
    with pytest.raises(InputError, match=rf"{pictures} pictures for each level \(axes {axes}\), expected one in RGB"):
        open_slide(path, backend).read_region(0, 0, 0, 100, 100)


@pytest.mark.parametrize("ome", [True, False])
def test_rgb_in_three_planes_of_one_picture_has_its_colours(tmp_path: Path, ome: bool) -> None:
    path = tmp_path / "planes.tif"
    options = {"metadata": {"axes": "CYX"} if ome else None, "photometric": "rgb", "planarconfig": "separate"}
    tifffile.imwrite(path, np.moveaxis(IMAGE, -1, 0), ome=ome, tile=(256, 256), **options)
    with open_slide(path) as reader:
        np.testing.assert_array_equal(reader.read_region(100, 60, 0, 100, 80), IMAGE[60:140, 100:200])
    with pytest.raises(UnsupportedLayout, match="3 samples of uint8, a plane for each, expected 8-bit RGB in one"):
        open_slide(path, "tifffile")


def _mean(reader: SlideReader, queue: multiprocessing.Queue) -> None:
    queue.put(float(reader.read_region(0, 0, 0, 300, 300).mean()))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_reader_survives_pickling_and_a_fork(slides: dict[str, Path], backend: str) -> None:
    if backend == "cucim":
        pytest.importorskip("cucim")
    with open_slide(slides["0.504"], backend) as reader:
        expected = reader.read_region(0, 0, 0, 300, 300)
        copy = pickle.loads(pickle.dumps(reader))
        np.testing.assert_array_equal(copy.read_region(0, 0, 0, 300, 300), expected)
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        worker = context.Process(target=_mean, args=(reader, queue))
        worker.start()
        assert queue.get(timeout=30) == pytest.approx(expected.mean())
        worker.join()


def test_an_unknown_backend_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"cucim.*openslide.*tifffile"):
        open_slide("slide.svs", "vips")


# Files that are no good.


@pytest.mark.parametrize("backend", ["auto", "openslide", "tifffile"])
class TestBadFiles:
    def refuse(self, path: Path, backend: str, message: str) -> None:
        with pytest.raises(InputError, match=message) as caught:
            open_slide(path, backend)
        assert str(path) in str(caught.value)

    def test_missing(self, tmp_path: Path, backend: str) -> None:
        self.refuse(tmp_path / "missing.svs", backend, "no such slide file")

    def test_folder(self, tmp_path: Path, backend: str) -> None:
        self.refuse(tmp_path, backend, "is a folder")

    def test_empty(self, tmp_path: Path, backend: str) -> None:
        path = tmp_path / "empty.svs"
        path.touch()
        self.refuse(path, backend, "empty")

    def test_text_with_the_name_of_a_slide(self, tmp_path: Path, backend: str) -> None:
        path = tmp_path / "text.svs"
        path.write_text("this is no slide\n" * 50)
        self.refuse(path, backend, "format|not a TIFF")

    @pytest.mark.parametrize("part", [0.05, 0.4, 0.7, 0.9, 0.999])
    def test_cut_short(self, slides: dict[str, Path], tmp_path: Path, backend: str, part: float) -> None:
        data = slides["0.504"].read_bytes()
        path = tmp_path / "short.tif"
        path.write_bytes(data[: int(len(data) * part)])
        self.refuse(path, backend, "should be at byte|lie beyond|format|cannot open")

    def test_corrupt_directory(self, slides: dict[str, Path], tmp_path: Path, backend: str) -> None:
        data = bytearray(slides["0.504"].read_bytes())
        (directory,) = struct.unpack("<I", data[4:8])
        data[directory : directory + 60] = bytes(range(100, 160))
        path = tmp_path / "directory.tif"
        path.write_bytes(data)
        self.refuse(path, backend, "directory cannot be read|format")

    @pytest.mark.parametrize("damage", ["offset", "cut"])
    def test_a_tiff_without_a_directory_is_said_to_be_damaged(
        self, slides: dict[str, Path], tmp_path: Path, backend: str, damage: str
    ) -> None:
        data = slides["0.504"].read_bytes()
        path = tmp_path / "slide.tif"
        path.write_bytes(data[:20] if damage == "cut" else data[:4] + b"\xff\xff\xff\x7f" + data[8:])
        with pytest.raises(InputError, match=r"damaged.*copy") as caught:
            open_slide(path, backend)
        assert "Error(" not in str(caught.value)

    def test_directory_whose_first_level_lost_its_tiles(
        self, slides: dict[str, Path], tmp_path: Path, backend: str
    ) -> None:
        path = tmp_path / "no_tiles.tif"
        data = bytearray(slides["0.504"].read_bytes())
        with tifffile.TiffFile(slides["0.504"]) as tiff:
            entry = tiff.pages.first.tags["TileWidth"].offset
        data[entry : entry + 2] = struct.pack("<H", 60000)
        path.write_bytes(data)
        self.refuse(path, backend, "format|no tiled image|cannot be read|tiles")

    def test_levels_that_are_not_one_picture(self, tmp_path: Path, backend: str) -> None:
        path = tmp_path / "levels.tif"
        options = {"tile": (256, 256), "photometric": "rgb", "compression": "deflate", "metadata": None}
        with tifffile.TiffWriter(path) as tiff:
            tiff.write(IMAGE, **options)
            tiff.write(np.ascontiguousarray(IMAGE[:450, :300]), subfiletype=1, **options)
        self.refuse(path, backend, "levels disagree.*1100 x 900.*300 x 450")


@pytest.mark.parametrize("damage", ["zeros", "wiped", "byte count"])
@pytest.mark.parametrize("coding", ["ycbcr", "jpeg2000"])
@pytest.mark.parametrize("backend", ["auto", *BACKENDS])
def test_a_truncated_tile_is_an_error_when_it_is_read_and_only_then(
    tmp_path: Path, backend: str, coding: str, damage: str
) -> None:
    if backend == "cucim":
        pytest.importorskip("cucim")
    path = make_slide(
        tmp_path / "slide.svs", IMAGE, levels=1, coding=coding, description=aperio_description(IMAGE, 0.5)
    )
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        page = tiff.pages.first
        offset, count = page.dataoffsets[7], page.databytecounts[7]  # column 2, row 1 of 5 x 4 tiles
        if damage == "byte count":
            counts = list(page.databytecounts)
            counts[7] //= 2
            page.tags["TileByteCounts"].overwrite(counts)
    if damage != "byte count":
        kept = 0 if damage == "wiped" else count // 2
        with open(path, "r+b") as file:
            file.seek(offset + kept)
            file.write(bytes(count - kept))
    reader = open_slide(path, backend)
    assert largest_difference(reader.read_region(0, 0, 0, 500, 250), IMAGE[:250, :500]) < 120
    with pytest.raises(InputError, match=r"slide\.svs"):
        reader.read_region(520, 260, 0, 200, 200)


# The real slides.


@pytest.mark.parametrize(
    ("name", "mpp", "target"),
    [
        ("slides/cmu-1-small-region.svs", None, 0.5),
        ("slides/cmu-1-small-region.svs", None, 1.0),
        ("slides/tcga-cr-7395-01a-01-ts1.svs", 0.2465, 0.5),
        ("slides/tcga-cr-7395-01a-01-ts1.svs", 0.25, 1.1),
        ("slides/camelyon_h_and_e.dcm", None, 28.97),
        ("multiscanner_cytology/A_BB_563479_1.svs", 0.25, 0.5),
        ("multiscanner_cytology/N1_BB_574162_1.ndpi", 0.23, 0.25),
        ("multiscanner_cytology/Z_BB_574162_1.tif", 0.22, 0.5),
    ],
)
def test_readers_agree_on_the_real_slides(real_data: Path, name: str, mpp: float | None, target: float) -> None:
    readers = open_all(real_data / name)
    size = np.array(readers["auto"].level_dimensions[0])
    corners = np.random.default_rng(4).integers(-100, size - 50, (10, 2))
    expected = TileReader(readers["auto"], target, 224, source_mpp=mpp).read(corners)
    assert expected.min() < 200  # something is there
    for reader in readers.values():
        difference = np.abs(TileReader(reader, target, 224, source_mpp=mpp).read(corners).astype(int) - expected)
        assert (difference > 2).mean() < 1e-5, reader
        assert difference.max() <= 3, reader


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("slides/tcga-cr-7395-01a-01-ts1.svs", "does not say its resolution"),
        ("slides/camelyon_h_and_e.dcm", "28.9"),
        *((f"multiscanner_cytology/{name}", "1000 x 1000") for name in ("A_BB_563479_1.svs", "N2_BB_574162_1.ndpi")),
    ],
)
def test_real_slides_without_a_believable_resolution_are_refused(real_data: Path, name: str, problem: str) -> None:
    for reader in open_all(real_data / name).values():
        with pytest.raises(InputError, match=problem) as caught:
            TileReader(reader, 0.5, 224)
        assert os.path.basename(name) in str(caught.value)


def write_pictures(path: Path, pictures: list[np.ndarray], ome: bool) -> Path:
    with tifffile.TiffWriter(path, ome=ome) as tiff:
        for number, picture in enumerate(pictures):
            mpp = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5} if number else {}
            resolution = {} if ome else {"resolution": (20000, 20000), "resolutionunit": "CENTIMETER"}
            metadata = {"axes": "YXS", **mpp} if ome else None
            tiff.write(picture, tile=(256, 256), photometric="rgb", metadata=metadata, **resolution)
    return path


@pytest.mark.parametrize("ome", [True, False])
def test_of_several_pictures_the_largest_is_taken_and_two_of_one_size_are_refused(tmp_path: Path, ome: bool) -> None:
    macro = IMAGE[::4, ::4].copy()
    path = write_pictures(tmp_path / "macro-first.tif", [macro, IMAGE], ome)
    with open_slide(path) as reader:
        assert reader.mpp == (0.5, 0.5)
        np.testing.assert_array_equal(reader.read_region(100, 60, 0, 100, 80), IMAGE[60:140, 100:200])
        assert reader.properties[PICTURES].startswith("the file holds 2 pictures; the largest was taken")
    with pytest.raises(UnsupportedLayout, match="not the file's largest"):
        open_slide(path, "openslide")
    path = write_pictures(tmp_path / "two.tif", [macro, IMAGE, IMAGE], ome)
    for backend in ("auto", "openslide", "tifffile"):
        with pytest.raises(InputError, match="it holds 2 pictures of"):
            open_slide(path, backend)


PIXELS = {
    "16 bit": (IMAGE.astype(np.uint16) * 16, "rgb", "uint16, 16 bits a colour"),
    "float": (IMAGE.astype(np.float32) / 255, "rgb", "float32, 32 bits a colour"),
    "grey": (IMAGE[..., 0], "minisblack", "grey"),
}


@pytest.mark.parametrize("backend", ["auto", "openslide", "tifffile"])
@pytest.mark.parametrize("name", PIXELS)
def test_other_pixels_than_8_bit_rgb_are_refused_by_every_reader(tmp_path: Path, backend: str, name: str) -> None:
    pixels, photometric, words = PIXELS[name]
    tifffile.imwrite(tmp_path / "slide.tif", pixels, tile=(256, 256), photometric=photometric)
    with pytest.raises(InputError, match=f"its pixels are {words}, expected RGB of 8 bits"):
        open_slide(tmp_path / "slide.tif", backend)


@pytest.mark.parametrize("backend", ["auto", "openslide", "tifffile"])
def test_a_description_of_a_picture_of_another_size_is_refused(tmp_path: Path, backend: str) -> None:
    text = "Aperio Image Library v11\r\n3072x2048 [0,0 3072x2048] (256x256) JPEG/RGB Q=70|MPP = 0.25"
    path = make_slide(tmp_path / "slide.svs", IMAGE, mpp=None, levels=1, description=text)
    size = f"{IMAGE.shape[1]} x {IMAGE.shape[0]}"
    with pytest.raises(
        InputError, match=f"Aperio description is of a picture of 3072 x 2048 px, the file holds {size}"
    ):
        open_slide(path, backend)
