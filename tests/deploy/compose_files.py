"""What `docker compose config` makes of our files: variables in place, later files over earlier."""

import re
from pathlib import Path

import yaml
from dotenv import dotenv_values

DEPLOY = Path(__file__).parents[2] / "deploy"
VARIABLE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")
REPLACED = {"command", "entrypoint", "test"}  # lists that do not grow


def example(**given):
    """Return the environment of `.env.example`, with what is empty there and `given` set."""
    found = dotenv_values(DEPLOY / ".env.example")
    secret = {name: f"secret of {name}" for name, value in found.items() if not value}
    return {**found, **secret, **given}


def render(*names, environment):
    """Return the content of the files `names` of `deploy/`, merged, without their anchors."""
    merged = {}
    for name in names:
        content = yaml.safe_load((DEPLOY / name).read_text())
        merged = merge(merged, put(content, environment))
    return {key: value for key, value in merged.items() if not key.startswith("x-")}


def variables(name):
    """Return the variables of a file."""
    return {match[1] for match in VARIABLE.finditer((DEPLOY / name).read_text())}


def put(value, environment):
    """Put variables in place; ValueError with the file's own words where one is needed."""
    if isinstance(value, dict):
        return {key: put(below, environment) for key, below in value.items()}
    if isinstance(value, list):
        return [put(below, environment) for below in value]
    if not isinstance(value, str):
        return value

    def found(match):
        name, operator, word = match.groups()
        if operator == ":?" and not environment.get(name):
            raise ValueError(f"{name}: {word}")
        return environment.get(name) or word or ""

    return VARIABLE.sub(found, value)


def merge(value, change):
    """Merge as compose does: mappings by key, lists by joining them."""
    assert type(value) is type(change), (value, change)
    if isinstance(value, dict):
        both = {
            key: change[key] if key in REPLACED else merge(value[key], change[key])
            for key in value.keys() & change.keys()
        }
        return {**value, **change, **both}
    return [*value, *change] if isinstance(value, list) else change
