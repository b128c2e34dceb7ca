"""Names of ours and names of users in one folder of bags."""

import pytest

from scangen_bundle.extraction.folder import BagFolder

AWKWARD = ("failures.csv", "failures", "slides", "slides.csv", "tissue", "a", "a_tiles", "a.h5", "x.job", ".locks")


def test_no_slide_id_gives_the_name_of_another_file(tmp_path):
    folder = BagFolder(tmp_path)
    paths = [folder.failures, folder.slides]
    for slide_id in AWKWARD:
        paths += [folder.bag(slide_id), folder.picture(slide_id), folder.slide_lock(slide_id)]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("slide_id", ["a", "a.b", "a.tmp"])
def test_leftovers_belong_to_their_slide(tmp_path, slide_id):
    (tmp_path / "tissue").mkdir()
    left = [tmp_path / f".{slide_id}.0123abcd.tmp.h5", tmp_path / "tissue" / f".{slide_id}.0123abcd.tmp.jpg"]
    for path in left:
        path.touch()
    (tmp_path / f"{slide_id}.h5").touch()
    assert BagFolder(tmp_path).leftovers() == {slide_id: left}
