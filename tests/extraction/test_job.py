"""The extraction job: what it makes, and what it survives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.bags import open_bag
from scangen_bundle.errors import InputError
from scangen_bundle.extraction import ExtractionJob, TilingSettings
from scangen_bundle.extraction.read_slide import read_slide
from scangen_bundle.extraction.work import SlideTask
from scangen_bundle.slides.tissue import TISSUE_OPTIONS
from tests.extraction.fakes import TILE_PX, FakeEncoder, FakeSlide, NanEncoder, make_manifest, make_slide

NOBODY = 65534
JOB_SCRIPT = """
import sys
from pathlib import Path
from scangen_bundle.extraction import ExtractionJob, TilingSettings
from tests.extraction.fakes import FakeEncoder, FakeSlide, make_manifest

if __name__ == "__main__":
    folder, count, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    manifest = make_manifest(folder / "slides", {f"s{i}": {} for i in range(count)})
    tiles = TilingSettings(reader=FakeSlide, batch_size=8)
    job = ExtractionJob(manifest, folder / "bags", FakeEncoder(seconds), tiles, workers=1)
    summary = job.extract()
    print(len(summary.made), len(summary.kept), len(summary.elsewhere))
"""


CUTTING = {field.name for field in fields(TilingSettings)}


def job_of(manifest, folder, encoder=None, **options):
    """A job with options of the job and of the tiles side by side."""
    options = {"reader": FakeSlide, "workers": 1, "progress": False, **options}
    tiles = TilingSettings(**{name: options.pop(name) for name in CUTTING & options.keys()})
    return ExtractionJob(manifest, folder, encoder or FakeEncoder(), tiles, **options)


def make_job(folder, slides, encoder=None, **options):
    return job_of(make_manifest(folder / "slides", slides), folder / "bags", encoder, **options)


def start(folder, count, seconds):
    arguments = [sys.executable, "-c", JOB_SCRIPT, str(folder), str(count), str(seconds)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start_at_work(folder, count, seconds):
    """A job that has shown itself to others and has looked for them."""
    job = start(folder, count, seconds)
    while not list((folder / "bags" / ".locks" / "slides").glob("*.lock")):
        assert job.poll() is None, job.communicate()
        time.sleep(0.01)
    return job


def is_running(process):
    """Whether a process is there and not merely waiting to be buried."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the bags a and b."""
    folder = tmp_path_factory.mktemp("finished")
    make_job(folder, {"a": {}, "b": {"tissue": 256}}).run()
    return folder


def test_a_bag_holds_what_the_encoder_gives_of_each_tile(tmp_path, capsys):
    summary = make_job(tmp_path, {"a": {}, "b": {"tissue": 256}}, workers=2).run()
    assert sorted(summary.made) == ["a", "b"]
    assert summary.tiles == 64 + 16
    assert summary.readers == {"fake": 2}
    assert "2 read with fake" in capsys.readouterr().err
    bag = open_bag(tmp_path / "bags" / "a.h5")
    grid = [(x, y) for y in range(0, 512, TILE_PX) for x in range(0, 512, TILE_PX)]
    assert bag.coords.tolist() == [list(corner) for corner in grid]
    expected = np.array([[180, 90, 100 + x // TILE_PX] for x, _ in grid], np.float16)
    np.testing.assert_array_equal(bag.features, expected)
    about = bag.attributes
    assert (about["slide_id"], about["encoder"], about["dim"], about["tile_px"]) == ("a", "fake", 3, TILE_PX)
    assert (about["mpp"], about["source_mpp_x"], about["effective_mpp_y"]) == (0.5, 0.5, 0.5)
    assert about["scanner"] == "aperio-at2"
    assert about["tissue_mm2"] == pytest.approx((512 * 0.5e-3) ** 2, rel=0.1)
    assert about["sharpness"] >= 0
    assert sorted(file.name for file in (tmp_path / "bags").iterdir()) == ["a.h5", "b.h5", "slides.csv", "tissue"]


def test_slides_csv_tells_of_each_scan(finished):
    table = pd.read_csv(finished / "bags" / "slides.csv").set_index("slide_id")
    assert table.tiles.to_dict() == {"a": 64, "b": 16}
    assert set(table.agreement) == {"agreement"}
    assert set(table.effective_mpp_x) == {0.5}
    assert set(table.reader) == {"fake"}


BAD = {
    "broken": ({"broken": True}, "a tile is damaged"),
    "bug": ({"bug": True}, "ZeroDivisionError: a fault of the program"),
    "crash": ({"crash": True}, "reader process died"),
    "no-mpp": ({"mpp": None}, "does not say its resolution"),
    "bogus-mpp": ({"mpp": 1000.0}, "a wrong value"),
    "coarse": ({"mpp": 2.0}, "upsampling"),
    "empty": ({"tissue": 0}, "no tissue"),
}


def test_bad_slides_are_reported_and_the_run_goes_on(tmp_path):
    bad = {slide_id: options for slide_id, (options, _) in BAD.items()}
    with pytest.raises(InputError, match=r"failures\.csv: 7 of 9 slides failed\n  broken: ") as error:
        make_job(tmp_path, {"a": {}, **bad, "z": {}}).run()
    assert error.value.exit_code == 3
    failures = pd.read_csv(tmp_path / "bags" / "failures.csv", keep_default_na=False).set_index("slide_id")
    assert sorted(failures.index) == sorted(BAD)
    for slide_id, (_, problem) in BAD.items():
        assert problem in failures.problem[slide_id]
        assert ("Traceback" in failures.traceback[slide_id]) == (slide_id != "crash")
    made = ["a.h5", "failures.csv", "slides.csv", "tissue", "z.h5"]
    assert sorted(file.name for file in (tmp_path / "bags").iterdir()) == made
    assert {"a.jpg", "empty.jpg", "z.jpg"} <= {file.name for file in (tmp_path / "bags" / "tissue").iterdir()}


@pytest.mark.parametrize("option", [{"workers": 0}, {"workers": -1}, {"mpp": 0}, {"mpp": float("nan")}])
def test_numbers_that_no_job_can_have_are_refused(tmp_path, option):
    with pytest.raises(InputError, match=f"option {next(iter(option))}: is "):
        make_job(tmp_path, {"a": {}}, **option)


def test_a_mended_slide_leaves_the_list_of_failures(tmp_path):
    assert make_job(tmp_path, {"a": {}, "bad": {"mpp": None}}).extract().failed
    summary = make_job(tmp_path, {"a": {}, "bad": {"mpp": None, "stated": 0.5}}).run()
    assert (summary.kept, summary.made) == (["a"], ["bad"])
    assert not (tmp_path / "bags" / "failures.csv").exists()


def test_vectors_that_are_not_numbers_fail_the_slide_alone(tmp_path):
    summary = make_job(tmp_path, {"a": {}, "b": {"tissue": 256}}, NanEncoder()).extract()
    assert summary.made == ["b"]
    assert "NaN" in summary.failed["a"]
    assert "Traceback" in pd.read_csv(tmp_path / "bags" / "failures.csv").traceback[0]
    assert not (tmp_path / "bags" / "a.h5").exists()


def test_finished_bags_are_not_touched(tmp_path):
    make_job(tmp_path, {"a": {}}).run()
    before = os.stat(tmp_path / "bags" / "a.h5")
    summary = make_job(tmp_path, {"a": {}, "b": {}}).run()
    assert (summary.kept, summary.made) == (["a"], ["b"])
    after = os.stat(tmp_path / "bags" / "a.h5")
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize(
    ("encoder", "options", "text"),
    [
        ({"revision": "2"}, {}, "revision is 1, asked for 2"),
        ({"name": "other"}, {}, "encoder is fake, asked for other"),
        ({"pooling": "cls"}, {}, "pooling is mean, asked for cls"),
        ({"tile_px": 32}, {}, "tile_px is 64, asked for 32"),
        ({}, {"mpp": 1.0}, "mpp is 0.5, asked for 1"),
        ({}, {"dtype": "float32"}, "dtype is float16, asked for float32"),
        ({}, {"tiling": {"overlap": 0.5}}, r"tiling\.overlap is 0\.0, asked for 0\.5"),
    ],
)
def test_bags_of_another_request_are_refused_before_any_work(finished, encoder, options, text):
    with pytest.raises(InputError, match=text) as error:
        make_job(finished, {"a": {}, "b": {"tissue": 256}, "c": {}}, FakeEncoder(**encoder), **options).run()
    assert "a.h5" in str(error.value)
    assert "b.h5" in str(error.value)
    assert not (finished / "bags" / "c.h5").exists()


def test_a_changed_mpp_of_the_manifest_and_a_damaged_bag_are_refused(tmp_path):
    make_job(tmp_path, {"a": {}, "b": {}}).run()
    (tmp_path / "bags" / "b.h5").write_bytes((tmp_path / "bags" / "b.h5").read_bytes()[:-100])
    with pytest.raises(InputError, match=r"(?s)a\.h5: the slide was read as 0\.5 .* 0\.4.*b\.h5: .*cannot be read"):
        make_job(tmp_path, {"a": {"stated": 0.4}, "b": {}}).run()


def test_a_run_with_nothing_to_do_opens_each_bag_once_and_leaves_the_tables_as_they_were(tmp_path, monkeypatch):
    from scangen_bundle.extraction import job as module

    make_job(tmp_path, {"a": {}, "b": {}}).run()
    bags, opened = tmp_path / "bags", []
    before = (bags / "slides.csv").read_bytes()
    (bags / "slides.csv").unlink()
    monkeypatch.setattr(module, "open_bag", lambda path: opened.append(path.name) or open_bag(path))
    assert make_job(tmp_path, {"a": {}, "b": {}}).run().kept == ["a", "b"]
    assert opened == ["a.h5", "b.h5"]
    assert (bags / "slides.csv").read_bytes() == before


def test_scans_that_have_features_already_are_passed_over(tmp_path):
    manifest = make_manifest(tmp_path / "slides", {"a": {}, "b": {}})
    manifest.loc[1, ["slide_path", "features_path"]] = ["", "b.h5"]
    summary = job_of(manifest, tmp_path / "bags").run()
    assert summary.made == ["a"]


def test_a_mask_of_the_user_decides_where_there_is_one(tmp_path):
    from PIL import Image

    (tmp_path / "masks").mkdir()
    Image.fromarray(np.pad(np.full((8, 4), 255, np.uint8), ((0, 8), (0, 12)))).save(tmp_path / "masks" / "a.png")
    make_job(tmp_path, {"a": {}, "b": {}}, masks_dir=tmp_path / "masks").run()
    assert len(open_bag(tmp_path / "bags" / "a.h5")) == 8 * 4
    assert len(open_bag(tmp_path / "bags" / "b.h5")) == 8 * 8


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"tiling": {"max_tile": 3}}, r"option tiling: does not know \['max_tile'\]"),
        ({"tiling": {"min_tissue": 2}}, "option tiling: cannot be .*min_tissue 2 "),
        ({"tiling": {"max_tiles": 2.5}}, "option tiling: cannot be"),
        ({"tiling": {"seed": 2**70}}, "option tiling: cannot be"),
        ({"tissue": {"mask_mpp": 0}}, "option tissue: cannot be .*mask_mpp.* too small"),
        ({"tissue": {"closing_um": "wide"}}, "option tissue: cannot be"),
        ({"reader": "openslid"}, "there is no reader 'openslid' -> take auto or one of .*openslide"),
        ({"masks_dir": "nowhere"}, "nowhere: there is no such folder of masks"),
    ],
)
def test_an_option_that_cannot_be_is_refused_before_any_slide_is_read(tmp_path, options, text):
    with pytest.raises(InputError, match=text):
        make_job(tmp_path, {"a": {}}, **options)


def test_options_that_are_given_as_their_defaults_are_no_other_request(tmp_path):
    make_job(tmp_path, {"a": {}}).run()
    same = {"tiling": {"min_tissue": 0.5, "overlap": 0.0, "origin_um": [0.0, 0.0]}, "tissue": {"closing_um": 24.0}}
    again = make_job(tmp_path, {"a": {}}, **same)
    assert again.run().kept == ["a"]
    assert again.request.digest == make_job(tmp_path, {"a": {}}).request.digest  # they may work side by side, too
    assert again.request.digest != make_job(tmp_path, {"a": {}}, tiling={"overlap": 0.5}).request.digest


def test_a_bag_of_another_slide_or_of_another_mask_is_refused(tmp_path):
    from PIL import Image

    make_job(tmp_path, {"a": {}, "b": {"tissue": 256}}).run()
    bags, masks = tmp_path / "bags", tmp_path / "masks"
    with pytest.raises(InputError, match=r"a\.h5: it was made of another slide file than .*a\.fake is now"):
        make_job(tmp_path, {"a": {"tissue": 513}, "b": {"tissue": 256}}).run()  # as many bytes
    make_job(tmp_path, {"a": {}, "b": {"tissue": 256}}).run()  # the file as it was
    masks.mkdir()
    Image.fromarray(np.full((16, 16), 255, np.uint8)).save(masks / "b.png")
    with pytest.raises(InputError, match=r"b\.h5: it was made without a mask of yours"):
        make_job(tmp_path, {"a": {}, "b": {"tissue": 256}}, masks_dir=masks).run()
    (bags / "b.h5").write_bytes((bags / "a.h5").read_bytes())
    with pytest.raises(InputError, match=r"b\.h5: it is the bag of a"):
        make_job(tmp_path, {"a": {}, "b": {"tissue": 256}}).run()


def test_two_scans_of_one_slide_file_are_refused_unless_masks_tell_them_apart(tmp_path):
    from PIL import Image

    manifest = make_manifest(tmp_path / "slides", {"a": {}, "b": {}})
    link = tmp_path / "link.fake"
    link.symlink_to(manifest.slide_path[0])
    manifest["slide_path"] = [manifest.slide_path[0], str(link)]
    with pytest.raises(InputError, match=r"b and a have one slide file, .*link\.fake -> .*masks_dir"):
        job_of(manifest, tmp_path / "bags").run()
    assert not (tmp_path / "bags").exists()
    masks = tmp_path / "masks"
    masks.mkdir()
    for name, rows in (("a", slice(0, 4)), ("b", slice(4, 8))):
        pixels = np.zeros((16, 16), np.uint8)
        pixels[rows, :8] = 255
        Image.fromarray(pixels).save(masks / f"{name}.png")
    job_of(manifest, tmp_path / "bags", masks_dir=masks).run()
    heights = [open_bag(tmp_path / "bags" / f"{name}.h5").coords[:, 1].max() // TILE_PX for name in "ab"]
    assert heights == [3, 7]


def test_too_little_tissue_tells_of_the_config_for_smears(tmp_path):
    slide = str(make_slide(tmp_path / "a.slide"))
    tiles = TilingSettings(mpp=0.5, tile_px=64, reader=FakeSlide, tissue={"min_area_um2": 1e9})
    with pytest.raises(InputError, match=r"no tissue: 0 mm² .* smears and cytospins add configs/tissue/smear\.yaml"):
        next(read_slide(SlideTask("a", slide, np.nan), tiles))


def test_a_mask_that_leaves_no_tile_is_named_and_not_the_slide(tmp_path):
    from PIL import Image

    (tmp_path / "masks").mkdir()
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "masks" / "a.png")
    slide, mask = str(make_slide(tmp_path / "a.slide")), str(tmp_path / "masks" / "a.png")
    with pytest.raises(InputError, match=r"a\.png: the mask leaves no tile: 0 mm² .*white"):
        next(read_slide(SlideTask("a", slide, np.nan, mask), TilingSettings(mpp=0.5, tile_px=64, reader=FakeSlide)))


def test_a_killed_run_loses_the_slide_in_hand_only(tmp_path):
    job = start(tmp_path, 4, 0.1)
    bags = tmp_path / "bags"
    deadline = time.monotonic() + 60
    while not ((bags / "s0.h5").exists() and list(bags.glob(".s1.*"))):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(job.pid)], capture_output=True, text=True, check=False)
    job.send_signal(signal.SIGKILL)
    job.communicate()
    assert sorted(file.name for file in bags.glob("s*.h5")) == ["s0.h5"]
    before = (bags / "s0.h5").read_bytes(), os.stat(bags / "s0.h5").st_mtime_ns
    for child in map(int, children.stdout.split()):  # none is left behind
        while is_running(child):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    again = start(tmp_path, 4, 0.0)
    output, errors = again.communicate()
    assert output.split() == ["3", "1", "0"], errors
    assert ((bags / "s0.h5").read_bytes(), os.stat(bags / "s0.h5").st_mtime_ns) == before
    assert sorted(file.name for file in bags.iterdir()) == ["s0.h5", "s1.h5", "s2.h5", "s3.h5", "slides.csv", "tissue"]
    assert sorted(file.name for file in (bags / "tissue").iterdir()) == ["s0.jpg", "s1.jpg", "s2.jpg", "s3.jpg"]


def test_two_jobs_on_one_folder_share_the_work(tmp_path):
    make_manifest(tmp_path / "slides", {})
    jobs = [start(tmp_path, 6, 0.05) for _ in range(2)]
    outputs = [job.communicate() for job in jobs]
    made = [int(output.split()[0]) for output, _ in outputs]
    assert sum(made) == 6, outputs
    bags = tmp_path / "bags"
    assert sorted(file.name for file in bags.iterdir()) == [*(f"s{i}.h5" for i in range(6)), "slides.csv", "tissue"]
    assert all(len(open_bag(file)) == 64 for file in bags.glob("*.h5"))


def test_two_jobs_that_ask_for_different_bags_do_not_mix_them_in_one_folder(tmp_path):
    make_manifest(tmp_path / "slides", {})
    first = start_at_work(tmp_path, 6, 0.2)
    with pytest.raises(InputError, match="a job with another encoder or other options is making bags in it"):
        make_job(tmp_path, {f"s{i}": {} for i in range(6)}, FakeEncoder(name="other")).run()
    output, errors = first.communicate()
    assert output.split() == ["6", "0", "0"], errors
    assert {open_bag(path).attributes["encoder"] for path in (tmp_path / "bags").glob("*.h5")} == {"fake"}


def test_shards_together_make_what_one_job_makes(tmp_path):
    slides = {f"s{i}": {"tissue": 128} for i in range(7)}
    make_job(tmp_path / "whole", slides).run()
    # The slides' paths are in no bag, so two places may be compared.
    shards = [make_job(tmp_path / "shards", slides, shard=f"{index}/3") for index in (2, 0, 1)]
    made = [shard.run().made for shard in shards]
    assert sorted(slide for ids in made for slide in ids) == sorted(slides)
    for name in (*(f"{slide}.h5" for slide in slides), "slides.csv"):
        whole, sharded = (tmp_path / place / "bags" / name for place in ("whole", "shards"))
        assert whole.read_bytes() == sharded.read_bytes()


def test_shards_of_two_numbers_are_refused_in_one_folder_at_one_time(tmp_path):
    slides = {f"s{i}": {} for i in range(2)}
    job = make_job(tmp_path, slides, shard="0/3")
    other = make_job(tmp_path, slides, shard="1/4")
    with (
        job._only_jobs_like_this(),
        pytest.raises(InputError, match=rf"process {os.getpid()} on .* makes one of 3 shards in it, .* shard 1/4"),
    ):
        other.run()


def test_a_slide_of_a_machine_that_died_is_waited_for_and_made(tmp_path, monkeypatch, caplog):
    from scangen_bundle import locks

    monkeypatch.setattr(locks, "STALE_AFTER", 1.0)
    monkeypatch.setattr(locks, "BEAT", 0.2)
    job = make_job(tmp_path, {"a": {}, "b": {}})
    lease = job.folder.slide_lock("a")
    lease.parent.mkdir(parents=True)
    lease.write_text('{"host": "node7", "machine": "elsewhere", "process": 1, "start": 1}')
    assert job.run().made == ["b", "a"]
    assert "taken over from process 1 on node7" in caplog.text


def test_a_slide_of_a_machine_that_lives_is_left_to_it(tmp_path, monkeypatch):
    from scangen_bundle import locks

    monkeypatch.setattr(locks, "BEAT", 0.2)
    job = make_job(tmp_path, {"a": {}, "b": {}})
    lease = job.folder.slide_lock("a")
    lease.parent.mkdir(parents=True)
    lease.write_text('{"host": "node7", "machine": "elsewhere", "process": 1, "start": 1}')
    monkeypatch.setattr(locks.time, "sleep", lambda seconds, sleep=time.sleep: (os.utime(lease), sleep(seconds)))
    assert job.run().elsewhere == ["a"]
    assert not (tmp_path / "bags" / "a.h5").exists()


def test_a_job_that_was_killed_does_not_keep_another_one_out(tmp_path):
    make_manifest(tmp_path / "slides", {})
    job = start_at_work(tmp_path, 4, 5.0)
    job.kill()
    job.communicate()
    assert make_job(tmp_path, {f"s{i}": {} for i in range(4)}, FakeEncoder(name="other")).run().made
    assert not (tmp_path / "bags" / ".locks").exists()


def test_a_full_disk_ends_the_run_and_leaves_nothing_half_written(tmp_path):
    limited = JOB_SCRIPT.replace(
        "    summary =",
        "    import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n    summary =",
    )
    arguments = [sys.executable, "-c", limited, str(tmp_path), "3", "0"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"InputError: {tmp_path / 'bags'}: cannot be written" in done.stderr
    assert "File too large" in done.stderr
    bags = tmp_path / "bags"
    assert [path for path in bags.rglob("*") if path.is_file() and ".locks" not in path.parts] == []


SMALL_DISK = 'mount -t tmpfs -o size=180k tmpfs "$0" && exec "$@"'
# Each root of its own, so that no right to mount is needed; where even that is forbidden, a limit on file size.
NAMESPACE = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
SMALL_FILES = 'ulimit -f 20; exec "$@"'


def small_disk(folder):
    """The beginning of a command that runs with a disk of 180 kB under `folder`."""
    folder.mkdir()
    mounting = [*NAMESPACE, SMALL_DISK, str(folder)]
    possible = subprocess.run([*mounting, "true"], capture_output=True, check=False).returncode == 0
    return mounting if possible else ["bash", "-c", SMALL_FILES, str(folder)]


def test_on_a_disk_that_fills_up_the_finished_bags_are_whole_and_nothing_else_is_there(tmp_path):
    """A bag needs some 70 kB while it is made and 8 kB afterwards, its picture 41 kB: one or two of three fit."""
    seen_inside = JOB_SCRIPT.replace(
        "    summary = job.extract()",
        """    try:
        summary = job.extract()
    finally:
        files = sorted(path for path in (folder / "bags").iterdir() if path.is_file())
        print(*(path.name for path in files))
        print(*(len(open_bag(path)) for path in files if path.suffix == ".h5"))""",
    ).replace("from pathlib", "from scangen_bundle.bags import open_bag\nfrom pathlib")
    command = [*small_disk(tmp_path / "bags"), sys.executable, "-c", seen_inside, str(tmp_path), "3", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"InputError: {tmp_path / 'bags'}: cannot be written" in done.stderr
    names, tiles = done.stdout.splitlines()
    if "No space left" in done.stderr:
        assert names.split() in (["s0.h5"], ["s0.h5", "s1.h5"])
        assert set(tiles.split()) == {"64"}
    else:
        assert "File too large" in done.stderr
        assert names == ""


@contextmanager
def without_root():
    """Root may write anywhere: be somebody else for a while."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_this_user_may_not_write_is_named(tmp_path):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        os.chmod(folder, 0o755)
        bags = Path(folder) / "bags"
        bags.mkdir(mode=0o555)
        manifest = make_manifest(tmp_path / "slides", {"a": {}})
        job = job_of(manifest, bags)
        with without_root(), pytest.raises(InputError, match=r"bags: cannot be written: .*Permission denied") as error:
            job.run()
        assert str(bags) in str(error.value)
        assert list(bags.iterdir()) == []


def test_an_output_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "bags").write_text("a file in its place")
    with pytest.raises(InputError, match="bags: cannot be written"):
        make_job(tmp_path, {"a": {}}).run()


def test_the_manifest_says_the_kind_of_a_slides_tissue_and_its_bag_remembers_it(tmp_path):
    manifest = make_manifest(tmp_path / "slides", {"a": {}, "b": {}}).assign(tissue=["section", ""])
    options = {"tissue": {"closing_um": 5.0}}
    job_of(manifest, tmp_path / "bags", **options).run()
    settings = [json.loads(open_bag(tmp_path / "bags" / f"{name}.h5").attributes["settings"]) for name in "ab"]
    assert [each["tissue"] for each in settings] == [TISSUE_OPTIONS["section"], options["tissue"]]
    assert job_of(manifest, tmp_path / "bags", **options).extract().kept == ["a", "b"]


def test_bags_of_other_settings_are_made_anew_only_where_asked(tmp_path):
    manifest = make_manifest(tmp_path / "slides", {"a": {}, "b": {}})
    job_of(manifest, tmp_path / "bags").run()
    other = {"tissue": {"closing_um": 5.0}}
    with pytest.raises(InputError, match="make them anew"):
        job_of(manifest, tmp_path / "bags", **other).run()
    summary = job_of(manifest, tmp_path / "bags", overwrite=True, **other).extract()
    assert (sorted(summary.made), summary.kept) == (["a", "b"], [])
    assert job_of(manifest, tmp_path / "bags", overwrite=True, **other).extract().kept == ["a", "b"]


def test_where_no_tissue_is_found_a_stated_resolution_is_doubted_and_what_is_given_is_not_advised(tmp_path):
    job = make_job(tmp_path, {"a": {"stated": 0.25}, "b": {"stated": 0.25}}, tissue=TISSUE_OPTIONS["smear"])
    with pytest.raises(InputError, match=r"2 slides \(a, b\): no tissue: .* mm wide: is the mpp right\?") as error:
        job.run()
    assert "smear.yaml" not in str(error.value)
