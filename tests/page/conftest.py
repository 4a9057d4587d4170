"""A real browser without a window, before a real service over HTTP."""

import dataclasses
import os
import shutil
import threading
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from delocal.api.serving import serving
from delocal.physics.models import load_models
from delocal.service.settings import AccessSettings, ClusterSettings, Settings
from tests.waiting import PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
PATIENCE_MS = 1000 * PATIENCE
expect.set_options(timeout=PATIENCE_MS)
BY_DESIGN = "Failed to load resource"  # Chromium's word for an answer that is no success


@pytest.fixture(scope="module")
def browser():
    """Chromium, for one module: while it runs, this thread has an event loop."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail(f"no browser ({', '.join(NAMES)}); `make test` installs one by apt-get")
    flags = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Yield the address of a service on this machine, and the service."""
    yield from serve(tmp_path_factory.mktemp("served"))


@pytest.fixture
def fresh(tmp_path):
    """Yield the same, without any sweeps."""
    yield from serve(tmp_path / "fresh")


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """Yield the same, where a key is needed even at the machine."""
    yield from serve(tmp_path_factory.mktemp("locked"), access=AccessSettings(keys="always"))


def serve(folder, **settings):
    with serving(Settings(data=folder, cluster=ClusterSettings(kind="none"), **settings)) as found:
        yield found


@pytest.fixture
def open_page(browser):
    """Return a function that opens a page; in the end none may have gone wrong, or elsewhere."""
    contexts, wrong = [], []

    def open_one(url, size=DESK, **options):
        context = browser.new_context(viewport=size, accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda m: wrong.append(m.text) if is_wrong(m) else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        here = urlsplit(url).netloc
        page.on("request", lambda r: wrong.append(r.url) if is_elsewhere(r.url, here) else None)
        page.goto(url)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert wrong == []


def is_wrong(message):
    return message.type in ("error", "warning") and not message.text.startswith(BY_DESIGN)


def is_elsewhere(url, here):
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob") and parts.netloc != here


@pytest.fixture
def held(monkeypatch):
    """Yield a function that lets replicas of percolation be computed, which wait for it."""
    models, go_on = load_models(), threading.Event()
    model = models["mott-percolation"]

    def wait(point, options, rng, cancelled):
        go_on.wait()
        return model.replicate(point, options, rng, cancelled)

    monkeypatch.setitem(models, model.name, dataclasses.replace(model, replicate=wait))
    yield go_on.set
    go_on.set()


@pytest.fixture
def broken(monkeypatch):
    """Return a function that makes a model raise, until it is called with False."""
    models = load_models()
    good = models["hopping"]

    def fail(parameters, options):
        raise ZeroDivisionError("no hops at all")

    def put(wrong=True):
        model = dataclasses.replace(good, evaluate=fail) if wrong else good
        monkeypatch.setitem(models, "hopping", model)

    return put
