"""What the shell completes: names of models and reproductions, and ids of sweeps."""

from __future__ import annotations

import os
from collections.abc import Iterable

PATIENCE_SECONDS = 1.0  # somebody has pressed a key and waits

Found = list[tuple[str, str]]


def models(incomplete: str) -> Found:
    """Return the models whose name begins so, each with its title."""
    from delocal.physics.models import load_models

    return _fitting(((m.name, m.title) for m in load_models().values()), incomplete)


def reproductions(incomplete: str) -> Found:
    """Return what can be reproduced, each with its title."""
    from delocal.service.reproductions import load_reproductions

    return _fitting(((r.name, r.title) for r in load_reproductions().values()), incomplete)


def figures(incomplete: str) -> Found:
    """Return the figures whose name begins so, each with its title."""
    from delocal.service.figures import RECIPES

    return _fitting(((name, r.title) for name, r in RECIPES.items()), incomplete)


def sweeps(incomplete: str) -> Found:
    """Return the newest sweeps of the service at DELOCAL_URL, if one answers at once."""
    from delocal.api.cli.base import HERE
    from delocal.api.client import Client
    from delocal.service.errors import DelocalError

    url, key = os.environ.get("DELOCAL_URL", HERE), os.environ.get("DELOCAL_KEY")
    try:
        with Client(url, key, timeout=PATIENCE_SECONDS, patience=0) as client:
            known = [(s["id"], f"{s['state']}: {s['name']}") for s in client.sweeps()]
    except (DelocalError, OSError):  # nobody has asked for a message here
        return []
    return _fitting(known, incomplete)


def _fitting(known: Iterable[tuple[str, str]], incomplete: str) -> Found:
    return [(name, help_) for name, help_ in known if name.startswith(incomplete)]
