"""What lies where is said; only what can be made again is removed, and only when asked for."""

import pytest


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("SCANGEN_ENV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SCANGEN_CACHE", str(tmp_path / "home"))
    for name in (
        "features/fake/a.h5",
        "features/fake/.b.1.tmp.h5",
        "outputs/mine/report.html",
        "home/e.onnx",
        "home/other",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 2048)
    (tmp_path / "manifest.csv").touch()
    return tmp_path


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_without_a_kind_it_only_says_what_there_is(scangen, project):
    before = files(project)
    ended = scangen("clean", "--dry-run")
    assert ended.code == 0
    assert f"features        4.0 KiB  {project}/features/fake" in ended.stdout
    assert f"runs            2.0 KiB  {project}/outputs" in ended.stdout
    assert "to remove some: scangen clean features|leftovers|cache|environments" in ended.stdout
    assert files(project) == before


def test_a_kind_is_removed_and_the_rest_stays(scangen, project):
    assert "nothing was removed" in scangen("clean", "features", "--dry-run").stdout
    scangen("clean", "leftovers", "cache", "--yes")
    assert files(project) == {"features/fake/a.h5", "outputs/mine/report.html", "home/other", "manifest.csv"}
    scangen("clean", "features", "--yes")
    assert files(project) == {"outputs/mine/report.html", "home/other", "manifest.csv"}
    assert scangen("clean", "runs").code == 2
