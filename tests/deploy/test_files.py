"""What lies in `deploy/` names only what exists: paths, commands, options, settings, metrics."""

import configparser
import json
import os
import re
import shlex
import subprocess
import tomllib

import pytest
import yaml

from delocal.workers.clusters.slurm import arguments
from delocal.workers.clusters.spec import ClusterSpec
from tests.deploy.conftest import DEPLOY, ROOT

# What `GET /metrics` has, by the names in service/prometheus.py.
METRICS = {
    "delocal_block_seconds_bucket",
    "delocal_block_seconds_count",
    "delocal_blocks",
    "delocal_data_free_bytes",
    "delocal_lease_expiries_total",
    "delocal_ledger_up",
    "delocal_queue_depth",
    "delocal_request_seconds_bucket",
    "delocal_requests_total",
    "delocal_slots",
    "delocal_sweeps",
    "delocal_tasks_in_flight",
}


def rest_of(dockerfile, name):
    return [rest for found, rest in dockerfile if found == name]


def test_the_image_is_made_of_what_exists(dockerfile):
    ours = [rest.split() for rest in rest_of(dockerfile, "COPY") if not rest.startswith("--from")]
    for *sources, _ in ours:
        for source in sources:
            assert (ROOT / source).exists(), source
            ignored = (ROOT / ".dockerignore").read_text().splitlines()
            assert f"!{source}" in ignored
    [install] = [rest for rest in rest_of(dockerfile, "RUN") if "pip install" in rest]
    assert "-c constraints.txt" in install
    extras = set(re.search(r"\.\[(.*?)\]", install)[1].split(","))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extras <= project["optional-dependencies"].keys()


def test_the_image_runs_without_root_and_is_checked(dockerfile, parse_command):
    assert rest_of(dockerfile, "USER") == ["10001:10001"]
    assert dockerfile.index(("USER", "10001:10001")) > max(
        i for i, (name, _) in enumerate(dockerfile) if name == "COPY"
    )
    [check] = rest_of(dockerfile, "HEALTHCHECK")
    assert "http://127.0.0.1:8000/healthz" in check
    assert rest_of(dockerfile, "ENTRYPOINT") == ['["delocal"]']
    [command] = map(json.loads, rest_of(dockerfile, "CMD"))
    assert parse_command(command[1:] if command[0] == "delocal" else command)["port"] == 8000
    assert all(":" in rest.split()[0] for rest in rest_of(dockerfile, "FROM"))


def test_compose_refers_only_to_what_it_has(compose):
    services, volumes = compose["services"], compose["volumes"]
    for name, service in services.items():
        for other in service.get("depends_on", ()):
            assert other in services, (name, other)
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in volumes or (DEPLOY / source).exists(), (name, source)
    build = services["certificates"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).exists()
    assert services["worker"]["deploy"]["replicas"] == 2


def test_compose_images_are_pinned(compose):
    for service in compose["services"].values():
        image = re.sub(r"\$\{IMAGE:-(.*)\}", r"\1", service["image"])
        assert re.search(r":[^:]*\d", image), image


def test_compose_runs_commands_and_settings_that_exist(compose, parse_command, read_settings):
    ours = {n: s for n, s in compose["services"].items() if "IMAGE" in s["image"]}
    assert set(ours) == {"certificates", "scheduler", "worker", "service"}
    for service in ours.values():
        words = [re.sub(r"\$\{\w+:-(.*?)\}", r"\1", word) for word in service["command"]]
        assert parse_command(words) is not None
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
    settings = read_settings(ours["service"]["environment"])
    ClusterSpec(**dict(settings.cluster)).check()


def test_the_environment_of_compose_is_that_of_its_example():
    used = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    assert used == {line.split("=")[0] for line in lines if line and not line.startswith("#")}


def test_prometheus_asks_the_service_and_grafana_asks_prometheus(compose):
    prometheus = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    [job] = prometheus["scrape_configs"]
    [target] = job["static_configs"][0]["targets"]
    host, port = target.split(":")
    command = compose["services"][host]["command"]
    assert command[command.index("--port") + 1] == port
    source = DEPLOY / "grafana/provisioning/datasources/prometheus.yaml"
    [source] = yaml.safe_load(source.read_text())["datasources"]
    assert source["url"].removeprefix("http://").split(":")[0] in compose["services"]
    provider = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/dashboards/delocal.yaml").read_text()
    )["providers"][0]
    mounted = [v.split(":") for v in compose["services"]["grafana"]["volumes"]]
    [folder] = [here for here, there, *_ in mounted if there == provider["options"]["path"]]
    assert list((DEPLOY / folder).glob("*.json"))


def test_the_dashboard_shows_metrics_that_the_service_has():
    dashboard = json.loads((DEPLOY / "grafana/dashboards/delocal.json").read_text())
    source = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text()
    )["datasources"][0]
    shown = set()
    for panel in dashboard["panels"]:
        assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
        for target in panel["targets"]:
            shown |= set(re.findall(r"\bdelocal_\w+", target["expr"]))
    assert shown == METRICS
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)


def slurm_environment():
    lines = (DEPLOY / "slurm/delocal.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_recipe_for_slurm_is_accepted(read_settings, certificates):
    settings = read_settings(slurm_environment())
    spec = ClusterSpec(**{**dict(settings.cluster), "tls": certificates / "service"})
    spec.check()
    assert arguments(spec)["processes"] == 8
    assert spec.bounds == (0, 64)


def test_the_script_for_slurm_passes_its_settings_on(tmp_path, parse_command):
    stub = tmp_path / "delocal"
    stub.write_text('#!/usr/bin/env bash\necho "$@"\nenv -0 | tr "\\0" "\\n"\n')
    stub.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    printed = subprocess.run(
        [str(DEPLOY / "slurm/serve.sh")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert parse_command(shlex.split(printed[0]))["host"] == "127.0.0.1"
    for name, value in slurm_environment().items():
        assert f"{name}={value}" in printed


def test_the_unit_of_systemd_stops_in_order_and_then_for_good(parse_command, read_settings):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(DEPLOY / "systemd/delocal.service")
    service = unit["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert program.endswith("/bin/delocal")
    assert parse_command(words)["port"] == 8000
    read_settings(dict([service["Environment"].split("=", 1)]))
    assert (service["KillMode"], service["SendSIGKILL"]) == ("mixed", "yes")
    assert int(service["TimeoutStopSec"]) >= 60
    assert service["User"] == "delocal"


@pytest.mark.parametrize("page", sorted(DEPLOY.rglob("*.md")), ids=lambda page: page.parent.name)
def test_commands_in_the_pages_exist(page, parse_command):
    lines = [line.strip() for line in page.read_text().splitlines()]
    found = [shlex.split(line)[1:] for line in lines if line.startswith("delocal ")]
    assert found
    for words in found:
        parse_command(words)
