"""The page's files: what they are served with, and that nothing of them is missing."""

import re
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from delocal.api.page import WEB
from delocal.service.settings import ClusterSettings, Service, Settings
from tests.api.conftest import ELSEWHERE, client_of

MODULES = sorted(path.name for path in WEB.glob("*.js"))


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    service = Service(Settings(data=folder, cluster=ClusterSettings(kind="none")))
    with client_of(service, ELSEWHERE, local=False) as client:
        yield client
    service.close()


def test_the_root_is_the_page_and_runs_its_own_scripts_alone(client):
    response = client.get("/")
    assert response.headers["Content-Type"].startswith("text/html")
    policy = dict(
        part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert not {"http", "unsafe-eval"} & set(re.findall(r"[\w-]+", str(policy)))
    assert "<script>" not in response.text
    assert not re.search(r"\son\w+=|https?://", response.text)


def test_whatever_the_page_names_is_served(client):
    named = re.findall(r'(?:src|href)="(web/[^"]+)"', client.get("/").text)
    imported = {
        name
        for file in MODULES
        for name in re.findall(r'from "\./([^"]+)"', (WEB / file).read_text())
    }
    assert imported < set(MODULES)
    for name in [*named, *(f"web/{module}" for module in MODULES), "web/plotly.min.js"]:
        response = client.get(f"/{name}")
        assert response.status_code == 200, name
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        if name.endswith(".js"):
            assert "javascript" in response.headers["Content-Type"]


def test_a_file_that_is_known_is_not_sent_again(client):
    tag = client.get("/web/plotly.min.js").headers["ETag"]
    again = client.get("/web/plotly.min.js", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["page.py", "../page.py", "%2e%2e/page.py", "..%2fpage.py", "", "x.js"]
)
def test_nothing_but_the_page_is_served(client, path):
    assert client.get(f"/web/{path}").status_code == 404


def test_no_module_names_another_host():
    for path in WEB.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|innerHTML|eval\(", text), path.name


def test_a_built_package_holds_the_page():
    files = WheelBuilder(str(Path(__file__).parents[2])).recurse_included_files()
    built = {file.distribution_path for file in files}
    assert {f"delocal/api/web/{path.name}" for path in WEB.iterdir()} <= built
