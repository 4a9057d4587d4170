"""The files of compose name only what exists: paths, commands, options, settings."""

import re

import pytest
from dotenv import dotenv_values

from delocal.service.settings import Settings
from delocal.workers.clusters.spec import ClusterSpec
from delocal.workers.storage import storage_at
from tests.deploy.compose_files import DEPLOY, example, merge, render, variables
from tests.deploy.conftest import ours

FILES = ("compose.yaml", "compose.s3.yaml")


@pytest.fixture(params=["compose", "compose_s3"])
def rendered(request):
    return request.getfixturevalue(request.param)


def of_our_image(compose):
    return {n: s for n, s in compose["services"].items() if s["image"].startswith("delocal:")}


def seconds(text):
    return float(re.fullmatch(r"(\d+)s", text)[1])


def test_compose_refers_only_to_what_it_has(rendered):
    services, volumes = rendered["services"], rendered["volumes"]
    networks = {"default", *rendered.get("networks", ())}
    for name, service in services.items():
        for other in service.get("depends_on", ()):
            assert other in services, (name, other)
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in volumes or (DEPLOY / source).exists(), (name, source)
        assert set(service.get("networks", ())) <= networks
    build = services["certificates"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).exists()
    assert services["worker"]["deploy"]["replicas"] == 2


def test_images_are_pinned_logs_are_bounded_and_everything_comes_back(rendered):
    for name, service in rendered["services"].items():
        assert re.search(r":[^:]*\d", service["image"]), name
        assert service["logging"] == {"driver": "local"}
        assert service["restart"] == ("no" if name == "certificates" else "unless-stopped")


def test_compose_runs_commands_and_settings_that_exist(rendered, parse_command, read_settings):
    found = of_our_image(rendered)
    assert set(found) == {"certificates", "scheduler", "worker", "service"}
    for service in found.values():
        assert parse_command(service["command"]) is not None
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
    settings = read_settings(ours(found["service"]["environment"]))
    ClusterSpec(**dict(settings.cluster)).check()


def test_compose_waits_until_the_service_has_stopped(compose, longest_stop):
    grace = {name: seconds(s["stop_grace_period"]) for name, s in of_our_image(compose).items()}
    assert min(grace.values()) > longest_stop
    assert "DELOCAL_STOP_SECONDS" not in compose["services"]["service"]["environment"]


def test_the_variables_of_compose_are_those_of_its_example():
    used = set.union(*map(variables, FILES))
    assert used == dotenv_values(DEPLOY / ".env.example").keys()


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "GRAFANA_PASSWORD", "S3_SECRET_KEY"])
def test_there_is_no_password_that_everybody_knows(name):
    assert dotenv_values(DEPLOY / ".env.example")[name] == ""
    with pytest.raises(ValueError, match=rf"{name}: copy \.env\.example"):
        render(*FILES, environment=example(**{name: ""}))


def test_keys_are_needed_unless_somebody_said_otherwise(read_settings):
    """The example says so for a service that this machine alone reaches."""
    given = example()
    assert (given["ACCESS_KEYS"], given["PUBLISH"]) == ("never", "127.0.0.1:8000")
    compose = render("compose.yaml", environment=example(ACCESS_KEYS="", PUBLISH=""))
    service = compose["services"]["service"]
    assert read_settings(ours(service["environment"])).access.keys == "always"
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert all(
        port.startswith("127.0.0.1:")
        for s in compose["services"].values()
        for port in s.get("ports", ())
    )


def test_proxies_that_are_trusted_reach_the_server():
    compose = render("compose.yaml", environment=example(FORWARDED_ALLOW_IPS="172.16.0.0/12"))
    environment = compose["services"]["service"]["environment"]
    assert environment["FORWARDED_ALLOW_IPS"] == "172.16.0.0/12"


def test_a_password_is_in_no_url(compose):
    service = compose["services"]["service"]["environment"]
    assert (
        service["PGPASSWORD"] == compose["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"]
    )
    assert service["PGPASSWORD"] not in service["DELOCAL_DATABASE_URL"]


def test_with_the_s3_server_datasets_lie_there(compose_s3, read_settings):
    services = compose_s3["services"]
    server, service = services["s3"], services["service"]["environment"]
    settings = read_settings(ours(service))
    assert storage_at(settings.place).location == "s3://sweeps/delocal"
    assert server["environment"]["S3_BUCKET"] == "sweeps"  # which it makes when it starts
    needed = {"AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP", "AWS_REGION"}
    keys = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    worker = services["worker"]["environment"]
    assert {n: service[n] for n in needed | keys} == {n: worker[n] for n in needed | keys}
    assert {n: service[n] for n in keys} == {n: server["environment"][n] for n in keys}
    assert service["AWS_ENDPOINT_URL"] == "http://s3:8333"
    for name in ("service", "worker"):
        assert services[name]["depends_on"]["s3"] == {"condition": "service_healthy"}


def test_who_has_no_key_does_not_reach_the_s3_server(compose_s3):
    """Behind the port of S3 its parts ask for none."""
    reach = {n for n, s in compose_s3["services"].items() if "s3" in s.get("networks", ())}
    assert reach == {"s3", "service", "worker"}
    assert compose_s3["services"]["s3"]["networks"] == ["s3"]
    assert compose_s3["networks"]["s3"] == {"internal": True}
    assert "ports" not in compose_s3["services"]["s3"]


def test_without_the_s3_server_nothing_asks_for_it(compose):
    assert "s3" not in compose["services"]
    assert "DELOCAL_SWEEPS" not in compose["services"]["service"]["environment"]
    assert Settings.model_fields["sweeps"].default is None


def test_files_are_merged_as_compose_does():
    base = {"a": {"command": ["x", "y"], "networks": ["default"], "image": "old"}}
    change = {"a": {"command": ["z"], "networks": ["s3"], "image": "new", "read_only": True}}
    both = {"command": ["z"], "networks": ["default", "s3"], "image": "new", "read_only": True}
    assert merge(base, change) == {"a": both}
