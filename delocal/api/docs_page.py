"""The page at /docs, with a content security policy that lets it and nothing else run."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

CDN = "https://cdn.jsdelivr.net"  # where FastAPI's page takes its script and style from
INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def install(app: FastAPI) -> None:
    """Serve the page; the only inline script it may run is its own, by its hash."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json", title=app.title, swagger_favicon_url="data:,"
    )
    text = bytes(page.body).decode()
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in INLINE.findall(text))
    policy = (
        f"default-src 'none'; script-src {CDN} {hashes}; style-src {CDN} 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(text, headers={"Content-Security-Policy": policy})


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
