"""The documentation holds: its code runs, its tables are complete, its links lead somewhere."""

import contextlib
import importlib.util
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from pydantic import BaseModel

import delocal
from benchmarks.report import Row
from delocal.api import cli
from delocal.api.app import create_app
from delocal.api.openapi import openapi_text
from delocal.api.serving import serving
from delocal.physics import models
from delocal.service import database
from delocal.service.errors import RequestError
from delocal.service.request import SweepRequest
from delocal.service.settings import Service, Settings
from tests.api.cli_world import run

ROOT = Path(__file__).parents[2]
HERE = "http://127.0.0.1:8000"
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts),
]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([\w-]+\.yaml)`[^`]*\n\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(\s*([^)\s]+)\s*\)")
NOT_HERE = {
    "delocal serve ": "tests/api/test_cli_examples.py starts services; this one runs already",
    "delocal scheduler ": "tests/system/test_three_hosts.py",
    "delocal worker ": "tests/system/test_three_hosts.py",
    "s3://my-bucket": "tests/api/test_stores.py has a bucket",
    "export ": "names of variables are checked; what they change has tests of its own",
}
"""Lines of a shell that are not typed by the tests of pages, and why."""


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks(page, language):
    return [code for found, code in FENCE.findall(page.read_text()) if found == language]


def scripts(page):
    """Return each Python or shell block of a page with the output printed below it, or None."""
    fences = list(FENCE.finditer(page.read_text()))
    for fence, following in zip(fences, [*fences[1:], None][: len(fences)], strict=True):
        if fence[1] in ("python", "bash"):
            between = following and page.read_text()[fence.end() : following.start()].strip()
            printed = following[2] if following and following[1] == "text" and not between else None
            yield fence[1], fence[2], printed


WITH_SCRIPTS = [
    page
    for page in PAGES
    if list(scripts(page)) and page.name not in ("CONTRIBUTING.md", "run-on-slurm.md", "operate.md")
]
"""Pages that run here; the others have tests of their own: here, test_slurm.py, test_operate.py."""


def test_there_are_scripts_to_run():
    names = [name_of(page) for page in WITH_SCRIPTS]
    assert {"README.md", "docs/tutorials/first-sweep.md", "docs/how-to/use-the-client.md"} < {
        *names
    }


def test_no_block_of_code_escapes():
    known = {"python", "text", "bash", "yaml", "json"}
    assert {language for page in PAGES for language, _ in FENCE.findall(page.read_text())} == known


def lines_of(code):
    """Return the lines of a shell: those that go on are one, comments are none."""
    joined = ""
    for line in code.splitlines():
        joined += line
        if joined.endswith("\\"):
            joined = joined.removesuffix("\\")
        elif joined.count("'") % 2:
            joined += "\n"
        else:
            if joined and not joined.startswith("#"):
                yield joined
            joined = ""


def type_in(code, url, client, request):
    """Type the lines of a shell, in which `ID` is a sweep that is done; return what they print."""
    typed = [line for line in lines_of(code) if not any(known in line for known in NOT_HERE)]
    told = []
    if re.search(r"\bID\b", code):
        sweep = client.submit(request).wait().id
        typed = [re.sub(r"\bID\b", sweep, line) for line in typed]
    for line in typed:
        if line.startswith("delocal "):
            told.append(run(line.partition("   #")[0].replace(HERE, url)))
        else:
            assert line.startswith("curl "), line
            asked = line.replace(HERE, url).replace("curl ", "curl --fail ", 1)
            answer = subprocess.run(
                ["bash", "-c", asked], capture_output=True, text=True, check=True
            )
            told.append(answer.stdout)
    return "".join(told)


SMALL = {
    "models": ["scaling"],
    "axes": {"alpha": [3, 5], "T": {"geomspace": [1e-6, 1e-2, 41]}},
    "fixed": {"d": 3, "beta": 3, "W": 1},
}


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with the files that commands name, and where a service keeps its data."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "request.yaml").write_text(yaml.safe_dump(SMALL))
    return tmp_path


@pytest.mark.parametrize("page", WITH_SCRIPTS, ids=name_of)
def test_a_page_runs_from_top_to_bottom_and_prints_what_it_says(page, desk, monkeypatch):
    for name, content in NAMED.findall(page.read_text()):
        (desk / name).write_text(content)
    namespace = {"__name__": "page"}
    with contextlib.ExitStack() as stack:
        stack.callback(close_clients, namespace)
        stack.callback(forget_but, set(models.load_models()))
        url, client = HERE, None
        if HERE in "".join(blocks(page, "python")) or blocks(page, "bash"):
            settings = Settings(data=desk / "results", cluster={"kind": "none"})
            url, _ = stack.enter_context(serving(settings))
            client = stack.enter_context(delocal.Client(url))
            monkeypatch.setenv("DELOCAL_URL", url)
        for language, code, printed in scripts(page):
            output = io.StringIO()
            if language == "bash":
                output.write(type_in(code, url, client, namespace.get("request", SMALL)))
            else:
                with contextlib.redirect_stdout(output):
                    exec(compile(code.replace(HERE, url), name_of(page), "exec"), namespace)
            assert printed is None or output.getvalue() == printed


def close_clients(namespace):
    for value in namespace.values():
        if isinstance(value, delocal.Client):
            value.close()


def forget_but(known):
    for name in set(models.load_models()) - known:
        models.forget(name)


def test_what_is_not_typed_stands_on_a_page():
    code = "".join(c for page in PAGES for c in blocks(page, "bash"))
    for known in NOT_HERE:
        assert known.strip() in code


def test_the_migration_of_contributing_is_written(tmp_path, monkeypatch):
    """As CONTRIBUTING says, but into a copy of the migrations, under a number that is free."""
    [code] = re.findall(
        r"<<'END'\n(.*?)\nEND$", (ROOT / "CONTRIBUTING.md").read_text(), re.S | re.M
    )
    versions = tmp_path / "migrations" / "versions"
    shutil.copytree(ROOT / "delocal" / "service" / "migrations", versions.parent)
    config_of = database.migration_config

    def config(url):
        found = config_of(url)
        found.set_main_option("script_location", str(versions.parent))
        return found

    monkeypatch.setattr(database, "migration_config", config)
    monkeypatch.chdir(tmp_path)
    exec(code.replace('"0002"', '"9999"'), {})
    [written] = versions.glob("9999*.py")
    assert "def upgrade" in written.read_text()


def test_targets_of_make_exist():
    makefile = (ROOT / "Makefile").read_text()
    named = {
        n for page in PAGES for n in re.findall(r"(?:^    |`)make (\w+)", page.read_text(), re.M)
    }
    assert {"demo", "test", "lint"} <= named
    assert named <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))


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
