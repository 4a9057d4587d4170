"""The command line, as a user types it."""

import json
from importlib.metadata import version

import pytest
import xarray as xr
import yaml
from typer.testing import CliRunner

from delocal.api import cli
from delocal.api.demo import PAPER, exponent_table
from delocal.api.serving import serving
from delocal.service.errors import NoKey
from delocal.service.keys import AccessSettings
from delocal.service.settings import ClusterSettings, Service, Settings
from delocal.workers.dataset import evaluate

REQUEST = {
    "models": ["scaling"],
    "axes": {"T": {"geomspace": [1e-6, 1e-2, 5]}, "d": [2, 3]},
    "fixed": {"alpha": 3, "beta": 3, "W": 1},
}


@pytest.fixture
def request_file(tmp_path):
    path = tmp_path / "request.yaml"
    path.write_text(yaml.safe_dump(REQUEST))
    return str(path)


def invoke(*arguments):
    result = CliRunner().invoke(cli.app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_run_keeps_the_sweep_where_asked(request_file, tmp_path):
    told = json.loads(invoke("run", request_file, "-o", str(tmp_path / "out"), "--json"))
    assert told["cells"] == {"total": 10, "done": 10}
    assert xr.open_zarr(f"{told['path']}/scaling").sizes["T"] == 5


def test_submit_watch_and_fetch(request_file, tmp_path):
    settings = Settings(data=tmp_path / "data", cluster=ClusterSettings(kind="none"))
    with serving(settings) as (url, _):
        cost = json.loads(invoke("submit", request_file, "--url", url, "--dry-run", "--json"))
        assert cost["cells"] == 10
        sweep = json.loads(invoke("submit", request_file, "--url", url, "--json"))
        assert json.loads(invoke("watch", sweep["id"], "--url", url, "--json"))["state"] == "done"
        invoke("fetch", sweep["id"], "-o", str(tmp_path / "copy"), "--url", url)
    stored = tmp_path / "data" / "sweeps" / sweep["id"] / "data.zarr"
    files = {path.relative_to(stored) for path in stored.rglob("*") if path.is_file()}
    assert len(files) > 100
    for file in files:
        assert (tmp_path / "copy" / file).read_bytes() == (stored / file).read_bytes()


def test_the_version_is_told():
    assert invoke("--version") == f"delocal {version('delocal')}\n"


def test_models_are_listed_and_described():
    assert "scaling" in invoke("models")
    assert "kappa_sd" in invoke("models", "scaling")
    assert json.loads(invoke("models", "scaling", "--json"))["name"] == "scaling"


def test_a_wrong_request_lists_every_mistake(tmp_path, monkeypatch, capsys):
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps({**REQUEST, "models": ["scalin"], "axes": {"T": [-1]}}))
    monkeypatch.setattr("sys.argv", ["delocal", "run", str(path), "-o", str(tmp_path / "x")])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert "models.0: no model 'scalin'" in capsys.readouterr().err


def test_the_table_of_the_demonstration_agrees_with_the_paper():
    ds = evaluate(
        "scaling", d=[2, 3], alpha=[3.0], beta=[3.0], T=[1e-6, 1e-5, 1e-4], W=[1.0, 2.0, 4.0]
    )
    table = exponent_table(ds)
    fits, exact, paper = ([*table.columns[i].cells] for i in (3, 4, 5))
    assert len(fits) == 2 * sum(map(len, PAPER.values()))
    for fit, formula, printed in zip(fits, exact, paper, strict=True):
        numerator, _, denominator = printed.partition("/")
        expected = int(numerator) / int(denominator or 1)
        assert float(fit) == pytest.approx(expected, abs=1e-6)
        assert float(formula) == pytest.approx(expected, abs=1e-6)


def test_keys_are_made_listed_and_revoked_beside_the_data(tmp_path):
    data = str(tmp_path / "data")
    made = json.loads(invoke("keys", "create", "bot", "--scope", "admin", "--data", data, "--json"))
    assert made["scopes"] == "admin"
    assert made["key"].startswith(f"delocal_{made['id']}_")
    shown = invoke("keys", "create", "laptop", "--days", "0", "--data", data).splitlines()
    assert shown[0].startswith("delocal_")
    listed = json.loads(invoke("keys", "list", "--data", data, "--json"))
    assert [(key["name"], key["state"]) for key in listed] == [
        ("bot", "usable"),
        ("laptop", "usable"),
    ]
    assert listed[1]["expires"] is None
    assert made["key"] not in str(listed)
    assert "revoked" in invoke("keys", "revoke", made["id"], "--data", data)
    assert made["id"] in invoke("keys", "list", "--data", data)
    settings = Settings(data=data, cluster=ClusterSettings(kind="none"))
    service = Service(settings)
    acts = [(act.action, act.subject) for act in reversed(service.audit.newest())]
    service.close()
    ids = [key["id"] for key in listed]
    assert acts == [("key.create", ids[0]), ("key.create", ids[1]), ("key.revoke", ids[0])]


def test_commands_show_the_key_of_the_environment_or_of_an_option(
    request_file, tmp_path, monkeypatch
):
    settings = Settings(
        data=tmp_path / "data",
        cluster=ClusterSettings(kind="none"),
        access=AccessSettings(keys="always"),
    )
    with serving(settings) as (url, service):
        text = service.keys.create("cli")[1]
        result = CliRunner().invoke(cli.app, ["submit", request_file, "--url", url])
        assert isinstance(result.exception, NoKey)
        sweep = json.loads(invoke("submit", request_file, "--url", url, "--key", text, "--json"))[
            "id"
        ]
        monkeypatch.setenv("DELOCAL_KEY", text)
        monkeypatch.setenv("DELOCAL_URL", url)
        assert json.loads(invoke("watch", sweep, "--json"))["state"] == "done"
        assert text not in invoke("watch", "--help")
        link = json.loads(invoke("share", sweep, "--days", "1", "--json"))
        assert xr.open_zarr(f"{link['zarr']}/scaling", chunks=None).sizes["T"] == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--host", "0.0.0.0"], "delocal keys create NAME"),
        (["keys", "create", "x", "--scope", "data:write"], "did you mean 'data:read'"),
        (["keys", "revoke", "abc"], "no key 'abc'"),
    ],
)
def test_a_mistake_with_keys_is_a_message(arguments, message, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["delocal", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
