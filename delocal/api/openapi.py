"""The OpenAPI document as a file: ``python -m delocal.api.openapi docs/reference/openapi.json``."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from delocal.api.app import create_app
from delocal.service.settings import ClusterSettings, Service, Settings


def openapi_text() -> str:
    """Return the document of the application, as it is committed."""
    with tempfile.TemporaryDirectory(prefix="delocal-") as folder:
        service = Service(Settings(data=Path(folder), cluster=ClusterSettings(kind="none")))
        try:
            document = create_app(service).openapi()
        finally:
            service.close()
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(openapi_text())
