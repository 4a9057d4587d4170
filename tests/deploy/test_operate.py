"""How to operate a service: the commands of the page copy one, restore it, upgrade it, watch it."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

import delocal
from delocal.api.serving import serving
from delocal.service.database import driver_of
from delocal.service.settings import Settings
from tests.api.cli_world import run
from tests.deploy.conftest import DEPLOY, ROOT
from tests.service.conftest import database_url  # noqa: F401
from tests.system.test_docs import SMALL, blocks, lines_of

PAGE = ROOT / "docs" / "how-to" / "operate.md"
POSTGRESQL = Path(importlib.util.find_spec("pgserver").origin).parent / "pginstall" / "bin"
LATER = {**SMALL, "fixed": {**SMALL["fixed"], "W": 2}}


def section(title):
    """Return the scripts of a section of the page."""
    [text] = re.findall(rf"^## {title}$(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S)
    return re.findall(r"^```bash\n(.*?)^```$", text, re.M | re.S)


class Desk:
    """A folder in which scripts are typed, with the tools of PostgreSQL."""

    def __init__(self, folder, url):
        self.folder, self.url = folder, url
        self.dumps = url.startswith("postgresql")
        self.variables = {"PATH": f"{POSTGRESQL}{os.pathsep}{os.environ['PATH']}"}
        if self.dumps:
            ledger = {"DELOCAL_DATABASE_URL": url, "LEDGER": url.replace("+psycopg", "")}
            self.variables |= ledger

    def type(self, script, code=0):
        """Type a script whose last line ends with `code`; return what they print."""
        *others, last = lines_of(script)
        return "".join([*(type_line(line) for line in others), type_line(last, code)])

    def serve(self, data):
        place = self.folder / data
        given = {"database_url": self.url} if self.dumps else {}
        return serving(Settings(data=place, cluster={"kind": "none"}, **given))


def type_line(line, code=0):
    """Type a line, of `delocal` in this process; return what it prints."""
    if line.startswith("delocal "):
        return run(line, code)
    line = line.replace("python ", f"{sys.executable} ", 1)
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.fixture
def desk(tmp_path, database_url, monkeypatch):  # noqa: F811
    desk = Desk(tmp_path, database_url)
    monkeypatch.chdir(tmp_path)
    for name, value in desk.variables.items():
        monkeypatch.setenv(name, value)
    return desk


def copying(desk):
    """Return the script that copies, with the line for the ledger that there is."""
    [script, _] = section("Make a copy")
    if not desk.dumps:
        return script
    dump, _ = section("A ledger in PostgreSQL")
    first, ledger, last = script.splitlines(keepends=True)
    assert ledger.startswith("python ")
    return first + dump + last


def restore(desk):
    if desk.dumps:
        desk.type(section("A ledger in PostgreSQL")[1])
    [script] = section("Restore")
    return desk.type(script)


def test_a_copy_of_a_service_at_work_is_restored(desk):
    with desk.serve("results") as (url, service), delocal.connect(url) as client:
        sweep = client.submit(SMALL).wait()
        before = sweep.open()["scaling"].to_dataset().load()
        key = service.keys.create("Ada", ["sweeps:read"], 1.0)[0].id
        desk.type(copying(desk))
        client.submit(LATER).wait()  # after the copy
        if not desk.dumps:  # else what is copied is no ledger that one could look at
            assert "nothing wrong" in desk.type(section("Make a copy")[1])
    shutil.rmtree(desk.folder / "results")
    assert "nothing wrong" in restore(desk)
    with desk.serve("restored") as (url, service), delocal.connect(url) as client:
        assert {one["id"]: one["state"] for one in client.sweeps()} == {sweep.id: "done"}
        after = client.sweep(sweep.id).open()["scaling"].to_dataset().load()
        assert [one.id for one in service.keys.all()] == [key]
    assert after.identical(before)


def test_what_was_stored_after_the_ledger_was_copied_is_entered(desk):
    """Sweeps are copied last: what is new in them is in no copy of the ledger."""
    with desk.serve("results") as (url, _), delocal.connect(url) as client:
        first, ledger, last = copying(desk).splitlines(keepends=True)
        desk.type(first + ledger)
        sweep = client.submit(SMALL).wait().id
        desk.type(last)
    shutil.rmtree(desk.folder / "results")
    if not desk.dumps:
        assert f"sweep {sweep}: not in the ledger" in desk.type(section("Make a copy")[1], code=1)
    assert "not in the ledger" in restore(desk)
    with desk.serve("restored") as (url, _), delocal.connect(url) as client:
        assert [one["state"] for one in client.sweeps()] == ["done"]


def test_an_upgrade_migrates_what_is_old(desk):
    [script] = section("Upgrade")
    check, migrate = script.splitlines()
    (desk.folder / "results").mkdir()
    desk.type(check, code=1)
    desk.type(migrate)
    desk.type(script)
    if not desk.dumps:
        engine = sa.create_engine(f"sqlite:///{desk.folder / 'results' / 'ledger.sqlite'}")
    else:
        engine = sa.create_engine(driver_of(desk.url))
    assert "sweeps" in sa.inspect(engine).get_table_names()
    engine.dispose()


def test_what_the_page_watches_answers(desk):
    with desk.serve("results") as (url, _):
        [script] = section("Watch")
        printed = desk.type(
            script.replace("http://127.0.0.1:8000", url).replace("curl", "curl -fsS")
        )
    assert '"cluster":"this process"' in printed
    assert "delocal_ledger_up 1.0" in printed


def test_the_page_explains_every_alert():
    content = yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text())
    alerts = {rule["alert"] for group in content["groups"] for rule in group["rules"]}
    assert set(re.findall(r"^\| `(Delocal\w+)`", PAGE.read_text(), re.M)) == alerts


def test_every_script_of_the_page_is_typed_here():
    titles = ("Make a copy", "Restore", "A ledger in PostgreSQL", "Upgrade", "Watch")
    assert sum(len(section(title)) for title in titles) == len(blocks(PAGE, "bash"))
