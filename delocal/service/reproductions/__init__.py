"""What of the papers can be drawn again, one file each. This folder is the registry."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from delocal.service.reproduce import Reproduction


@cache
def load_reproductions() -> dict[str, Reproduction]:
    """Return every reproduction of this folder by its name, in the order of the names."""
    modules = [
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    ]
    found = [reproduction for module in modules for reproduction in module.reproductions]
    return {r.name: r for r in sorted(found, key=lambda r: r.name)}
