"""Pictures of every view, for the documentation: `make images` puts them there."""

import contextlib
import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from delocal.service.errors import Conflict
from delocal.service.request import SweepRequest
from tests.page.conftest import DESK, PHONE

DIPOLES = {
    "models": ["scaling"],
    "name": "Dipoles in two and three dimensions",
    "tags": ["dipoles"],
    "axes": {
        "d": [2, 3],
        "alpha": {"linspace": [2.2, 6.0, 20]},
        "beta": {"linspace": [2.2, 6.0, 20]},
        "T": {"geomspace": [1e-6, 1e-2, 21]},
    },
    "fixed": {"W": 1},
    "exclude": [{"alpha": {"lt": "beta"}}],
}
HALF = {
    "models": ["mott-percolation"],
    "name": "The constant of Mott's law",
    "tags": ["monte-carlo"],
    "axes": {"box": [8, 12, 16, 24]},
    "fixed": {"d": 2},
    "sampling": {"replicas": 2000},
    "priority": "low",
}
NETWORK = {
    "models": ["network", "scaling"],
    "name": "Pseudo-spins by Monte Carlo, beside the theory",
    "tags": ["monte-carlo"],
    "axes": {"T": {"geomspace": [1e-4, 1.0, 9]}},
    "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 20, "t": 1, "V": 1},
    "sampling": {"replicas": 8},
}
HOPS = {
    "models": ["hopping"],
    "name": "Variable-range hopping",
    "axes": {"T": {"geomspace": [1e-4, 1e-1, 31]}, "d": [1, 2, 3]},
}
SHOWN = {
    "sweeps": "/sweeps",
    "new": "/new?from=DIPOLES",
    "sweep": "/sweeps/DIPOLES",
    "network": "/sweeps/NETWORK",
    "explore": "/explore",
}
LOOKS = {
    "": {"size": DESK},
    "-dark": {"size": DESK, "color_scheme": "dark"},
    "-phone": {"size": PHONE, "device_scale_factor": 2},
}
PICTURES = [
    *((view, "") for view in SHOWN),
    *(("sweep", "-dark"), ("explore", "-dark"), ("new", "-phone"), ("sweep", "-phone")),
]
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-page.md"


@pytest.fixture(scope="module")
def sweeps(served):
    """The ids of some sweeps that are done."""
    _, service = served
    requests = {"HOPS": HOPS, "NETWORK": NETWORK, "DIPOLES": DIPOLES}
    ids = {n: service.sweeps.submit(SweepRequest.parse(r)).id for n, r in requests.items()}
    for sweep in ids.values():
        service.sweeps.wait(sweep, timeout=120)
    half = service.sweeps.submit(SweepRequest.parse(HALF)).id
    yield ids
    with contextlib.suppress(Conflict):  # it has ended meanwhile
        service.sweeps.cancel(half)


@pytest.mark.parametrize(("view", "look"), PICTURES)
def test_a_picture_is_taken(open_page, served, sweeps, tmp_path, view, look):
    path = SHOWN[view]
    for name, sweep in sweeps.items():
        path = path.replace(name, sweep)
    page = open_page(f"{served[0]}/#{path}", **LOOKS[look])
    expect(page.locator("main .loading")).to_have_count(0)
    if view in ("sweep", "network"):
        page.get_by_role("button", name="Show this cell").click()
        expect(page.locator("caption").first).to_be_visible()
    if view in ("sweep", "network", "explore"):
        expect(page.locator("figcaption")).not_to_be_empty()
        expect(page.locator(".plot[aria-busy]")).to_have_count(0)
    if view == "new":
        expect(page.get_by_label("What it would cost")).to_contain_text("Cells16,800")
    take(page, f"page-{view}{look}.png", tmp_path, whole=view != "explore" or look == "-phone")


def test_a_picture_of_mistakes_is_taken(open_page, served, tmp_path):
    page = open_page(f"{served[0]}/#/new", **LOOKS["-dark"])
    page.get_by_label("alpha: how it is given").select_option("fixed")
    page.get_by_label("alpha: value").fill("-1")
    page.get_by_role("button", name="Submit the sweep").click()
    expect(page.locator("main .failure")).to_be_visible()
    take(page, "page-mistakes.png", tmp_path)


def test_a_picture_of_failures_is_taken(open_page, served, broken, tmp_path):
    url, service = served
    broken()
    sweep = service.sweeps.submit(SweepRequest.parse({**HOPS, "seed": 1, "name": "Hops that fail"}))
    page = open_page(f"{url}/#/sweeps/{sweep.id}")
    page.get_by_text("ZeroDivisionError").first.click()
    expect(page.get_by_text("Traceback").first).to_be_visible()
    take(page, "page-failures.png", tmp_path)


def take(page, name, tmp_path, whole=True):
    """Photograph the page, for the documentation if it shows that and somebody asked."""
    page.wait_for_timeout(300)  # transitions, and the last drawing
    wanted = os.environ.get("PAGE_IMAGES") if name in PAGE.read_text() else None
    file = Path(wanted or tmp_path) / name
    page.screenshot(path=file, full_page=whole)
    assert file.stat().st_size > 10_000
