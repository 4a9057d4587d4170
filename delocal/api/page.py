"""The page at /: plain modules of JavaScript that use the public REST, and nothing from elsewhere.

Its content security policy lets the browser run what this service serves, and no script that
somebody wrote into a name. Styles may be written inline: the plot library does so.
"""

from __future__ import annotations

from pathlib import Path

import plotly
from fastapi import FastAPI, Request, Response
from starlette.staticfiles import StaticFiles

WEB = Path(__file__).parent / "web"
PLOTLY = "plotly.min.js"  # as the installed plotly has it: the figures are made for this version
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # asked again, and answered with 304 while it is the same
}


def install(app: FastAPI) -> None:
    """Serve the page at /, and its files under /web."""
    ours = StaticFiles(directory=WEB)
    library = StaticFiles(directory=Path(plotly.__file__).parent / "package_data")

    async def answer(files: StaticFiles, path: str, request: Request) -> Response:
        response = await files.get_response(path, request.scope)
        response.headers.update(HEADERS)
        return response

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return await answer(ours, "index.html", request)

    @app.get("/web/{path:path}", include_in_schema=False)
    async def file(path: str, request: Request) -> Response:
        return await answer(library if path == PLOTLY else ours, path, request)
