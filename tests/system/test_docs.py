"""The documentation holds: its code runs, its tables are complete, its links lead somewhere."""

import contextlib
import importlib.util
import io
import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from pydantic import BaseModel

import delocal
from benchmarks.report import Row
from delocal.api import cli
from delocal.api.app import create_app
from delocal.api.openapi import openapi_text
from delocal.api.serving import serving
from delocal.physics import models
from delocal.service.errors import RequestError
from delocal.service.request import SweepRequest
from delocal.service.settings import Service, Settings

ROOT = Path(__file__).parents[2]
HERE = "http://127.0.0.1:8000"
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts),
]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(\s*([^)\s]+)\s*\)")


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks(page, language):
    return [code for found, code in FENCE.findall(page.read_text()) if found == language]


def scripts(page):
    """Return each Python block of a page with the output printed below it, or None."""
    fences = list(FENCE.finditer(page.read_text()))
    for fence, following in zip(fences, [*fences[1:], None], strict=True):
        if fence[1] == "python":
            between = following and page.read_text()[fence.end() : following.start()].strip()
            printed = following[2] if following and following[1] == "text" and not between else None
            yield fence[2], printed


WITH_SCRIPTS = [page for page in PAGES if blocks(page, "python") and page.name != "CONTRIBUTING.md"]


def test_there_are_scripts_to_run():
    names = [name_of(page) for page in WITH_SCRIPTS]
    assert {"README.md", "docs/tutorials/first-sweep.md"} < set(names)


@pytest.mark.parametrize("page", WITH_SCRIPTS, ids=name_of)
def test_python_runs_and_prints_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "page"}
    with contextlib.ExitStack() as stack:
        url = HERE
        if HERE in "".join(blocks(page, "python")):
            settings = Settings(data=tmp_path / "data", cluster={"kind": "none"})
            url, _ = stack.enter_context(serving(settings))
        for code, printed in scripts(page):
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(code.replace(HERE, url), name_of(page), "exec"), namespace)
            assert printed is None or output.getvalue() == printed
        for value in namespace.values():
            if isinstance(value, delocal.Client):
                value.close()


def contributed(tmp_path, text):
    """Write the block of CONTRIBUTING that has `text` to a file, and return it."""
    [code] = [code for code in blocks(ROOT / "CONTRIBUTING.md", "python") if text in code]
    file = tmp_path / "activated.py"
    file.write_text(code)
    return file


@pytest.fixture
def activated(tmp_path, monkeypatch):
    """Put the model of CONTRIBUTING where models are, as its reader would."""
    contributed(tmp_path, "model = Model(")
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    models.load_models.cache_clear()
    yield
    models.load_models.cache_clear()
    monkeypatch.delattr(models, "activated", raising=False)
    monkeypatch.delitem(sys.modules, f"{models.__name__}.activated", raising=False)


@pytest.mark.usefixtures("activated")
def test_a_model_in_one_file_can_be_swept(tmp_path):
    assert "activated" in delocal.models()
    request = {"models": ["activated"], "axes": {"T": [0.25, 0.5, 2.0], "E_a": [1.0, 0.1]}}
    ds = delocal.run(request, tmp_path / "sweep")["activated"].to_dataset()
    assert ds.status.values.tolist() == [[1, 2], [1, 2], [2, 2]]
    assert ds.sigma.sel(T=0.25, E_a=1).item() == pytest.approx(np.exp(-4))
    np.testing.assert_allclose(10**ds.log10_sigma, ds.sigma)
    assert ds.sigma.attrs["units"] == "1"


@pytest.mark.usefixtures("activated")
def test_a_model_in_one_file_is_validated_and_described():
    with pytest.raises(RequestError, match="E_a"):
        delocal.run({"models": ["activated"], "axes": {"T": [1.0]}, "fixed": {"E_a": -1.0}})
    assert delocal.evaluate("activated", T=0.5).E_a == 1


def test_the_benchmark_of_contributing_returns_rows(tmp_path):
    file = contributed(tmp_path, "-> list[Row]")
    spec = importlib.util.spec_from_file_location("contributed", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    [row] = module.rows(3)
    assert isinstance(row, Row)
    assert row.value > 0


@pytest.mark.parametrize("language", ["yaml", "json"])
def test_requests_in_the_documentation_are_valid(language):
    requests = [code for page in PAGES for code in blocks(page, language)]
    assert requests
    for text in requests:
        assert SweepRequest.from_text(text).plan().cells > 0


def commands():
    """Return every command by its words; `keys create` is one."""
    found = {}
    for name, command in typer.main.get_command(cli.app).commands.items():
        below = getattr(command, "commands", None)
        found |= {f"{name} {n}": c for n, c in below.items()} if below else {name: command}
    return found


def options(command):
    return {option for p in commands()[command].params for option in [*p.opts, *p.secondary_opts]}


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented_with_its_options(command):
    page = (DOCS / "reference" / "cli.md").read_text()
    [section] = re.findall(
        rf"^## `delocal {command}\b.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL
    )
    for option in options(command):
        assert not option.startswith("--") or f"`{option}`" in section, option


def test_commands_in_the_documentation_exist():
    lines = [
        line
        for page in PAGES
        for code in blocks(page, "bash")
        for line in code.splitlines()
        if line.startswith("delocal ")
    ]
    assert len(lines) > 5
    for line in lines:
        _, command, *words = shlex.split(line, comments=True)
        if command not in commands():
            command, *words = f"{command} {words[0]}", *words[1:]
        assert {word for word in words if word.startswith("-")} <= options(command), line


def environment_names():
    """Return the environment variable of each setting, those of a group with two underscores."""
    found = {}
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            for below in field.annotation.model_fields:
                found[f"{name}.{below}"] = f"DELOCAL_{name.upper()}__{below.upper()}"
        else:
            found[name] = f"DELOCAL_{name.upper()}"
    return found


@pytest.mark.parametrize(("setting", "variable"), environment_names().items())
def test_every_setting_is_documented(setting, variable):
    page = (DOCS / "reference" / "settings.md").read_text()
    assert f"| `{setting}` | `{variable}` |" in page


def test_documented_environment_variables_are_read(monkeypatch):
    monkeypatch.setenv("DELOCAL_MAX_CELLS", "7")
    monkeypatch.setenv("DELOCAL_CLUSTER__KIND", "none")
    settings = Settings()
    assert (settings.max_cells, settings.cluster.kind) == (7, "none")
    known = {*environment_names().values(), "DELOCAL_URL", "DELOCAL_KEY"}
    for page in PAGES:
        assert set(re.findall(r"DELOCAL_[A-Z_]*[A-Z]", page.read_text())) <= known


def test_every_route_is_documented(tmp_path):
    service = Service(Settings(data=tmp_path, cluster={"kind": "none"}))
    try:
        paths = create_app(service).openapi()["paths"]
    finally:
        service.close()
    routes = {f"{method.upper()} {path}" for path, on in paths.items() for method in on}
    page = (DOCS / "reference" / "rest.md").read_text()
    assert set(re.findall(r"^`([A-Z]+ /\S*)`$", page, re.MULTILINE)) == routes


def test_the_openapi_file_is_that_of_the_application():
    committed = (DOCS / "reference" / "openapi.json").read_text()
    assert json.loads(committed) == json.loads(openapi_text()), "run `make openapi`"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_to_a_file(page):
    for link in LINK.findall(page.read_text()):
        if not link.startswith(("http://", "https://", "#")):
            assert (page.parent / link.partition("#")[0]).is_file(), link


def test_every_page_is_in_a_table_of_contents():
    listed = set()
    for page in PAGES:
        for tree in re.findall(r"```{toctree}\n(.*?)```", page.read_text(), re.DOTALL):
            names = re.findall(r"^(?:.*<)?([\w./-]+)>?$", tree, re.MULTILINE)
            listed |= {(page.parent / name).resolve() for name in names}
    pages = {page.with_suffix("") for page in PAGES if page.is_relative_to(DOCS)}
    assert pages - listed == {DOCS / "index"}
