"""Everything that can be reproduced, on little statistics: it runs, and says what it shows."""

import json
import re
from pathlib import Path

import plotly.graph_objects as go
import pytest

from delocal.service.errors import NotFound, NotReady
from delocal.service.figures import save
from delocal.service.reproduce import one_reproduction, reproduce, write_gallery
from delocal.service.reproductions import load_reproductions
from delocal.service.request import SweepRequest
from delocal.service.settings import Service, Settings


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    settings = Settings(data=tmp_path_factory.mktemp("data"))
    settings.cluster.kind = "none"
    service = Service(settings)
    yield service
    service.close()


ALL = load_reproductions().values()


@pytest.fixture(params=ALL, ids=lambda r: r.name)
def reproduction(request):
    return request.param


def test_it_is_drawn_from_its_sweeps(reproduction, tmp_path, service):
    drawn = reproduce(reproduction.name, tmp_path, service, replicas=2)
    assert drawn.figure is not None or drawn.table
    assert len(drawn.caption) > 40
    assert reproduction.source in (tmp_path / f"{reproduction.name}.txt").read_text()
    if drawn.figure is not None:
        assert "plotly" in (tmp_path / f"{reproduction.name}.html").read_text()
        axes = drawn.figure.layout
        assert axes.xaxis.title.text
        assert axes.yaxis.title.text
    if drawn.table:
        assert json.loads((tmp_path / f"{reproduction.name}.json").read_text())


def test_its_requests_are_valid(reproduction):
    for request in reproduction.requests.values():
        assert SweepRequest.parse(request).plan().cells > 0


def test_what_is_not_there_is_named_with_advice():
    with pytest.raises(NotFound, match="gutman-fig3"):
        one_reproduction("gutman-fig33")


def test_a_picture_is_a_picture(tmp_path, service):
    drawn = reproduce("gutman-fig3", tmp_path, service, formats=("html", "png"))
    assert isinstance(drawn.figure, go.Figure)
    picture = (tmp_path / "gutman-fig3.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000


def test_without_a_browser_a_picture_is_refused_with_advice(tmp_path, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotReady, match="Chromium"):
        save(go.Figure(), tmp_path / "figure.png")


def test_the_gallery_shows_everything_that_can_be_reproduced():
    folder = Path(__file__).parents[2] / "docs" / "gallery"
    page = (folder / "index.md").read_text()
    names = re.findall(r"^`delocal reproduce ([a-z0-9-]+)`\.", page, re.MULTILINE)
    assert names == list(load_reproductions())
    for picture in re.findall(r"\]\(([^)]*\.png)\)", page):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    for reproduction in ALL:
        assert reproduction.source in page


def test_a_gallery_is_written_from_what_was_made(tmp_path, service):
    for name in ("gutman-fig3", "thresholds"):
        reproduce(name, tmp_path, service, replicas=2)
    page = write_gallery(tmp_path, ["gutman-fig3", "thresholds"]).read_text()
    assert "## Phase diagram" in page
    assert "| (d, alpha, beta) | link |" in page
