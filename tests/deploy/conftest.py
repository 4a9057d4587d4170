import re
from pathlib import Path

import pytest
import typer

from delocal.api import cli, serving
from delocal.service import dispatcher, settings
from delocal.service.settings import Settings
from delocal.workers import dask
from tests.deploy.compose_files import DEPLOY, example, render

ROOT = Path(__file__).parents[2]
__all__ = ["DEPLOY", "ROOT"]


@pytest.fixture(scope="session")
def compose():
    return render("compose.yaml", environment=example())


@pytest.fixture(scope="session")
def compose_s3():
    return render("compose.yaml", "compose.s3.yaml", environment=example())


@pytest.fixture(scope="session")
def longest_stop():
    """Seconds after which a service with the settings of `deploy/` has stopped at the latest."""
    return (
        Settings().stop_seconds
        + settings.TRASH_SECONDS
        + dispatcher.STOP_SECONDS
        + dask.CLOSE_SECONDS
        + serving.LAST_SECONDS
    )


@pytest.fixture
def parse_command():
    """Return a function that parses the arguments of `delocal`, and raises if they are wrong."""

    def parse(arguments):
        command = typer.main.get_command(cli.app)
        while hasattr(command, "commands"):
            name, *arguments = arguments
            command = command.commands[name]
        return command.make_context(command.name, list(arguments)).params

    return parse


@pytest.fixture
def read_settings(monkeypatch):
    """Return a function that makes settings of environment variables, each of which must exist."""

    def read(environment):
        for name, value in environment.items():
            assert name in known(), f"{name} is no setting"
            monkeypatch.setenv(name, value)
        return Settings()

    return read


def ours(environment):
    """Return those variables that are settings of ours; others are read by libraries."""
    return {name: value for name, value in environment.items() if name.startswith("DELOCAL_")}


def known(model=Settings, prefix="DELOCAL_"):
    """Return the environment variables that are settings."""
    found = set()
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            found |= known(field.annotation, f"{prefix}{name.upper()}__")
        else:
            found.add(prefix + name.upper())
    return found


@pytest.fixture(scope="session")
def dockerfile():
    """The instructions of the Dockerfile, as pairs of name and rest."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(re.split(r"\s+", line.strip(), maxsplit=1)) for line in lines]
