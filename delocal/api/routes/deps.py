"""What every route needs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.datastructures import MutableHeaders

from delocal.service.settings import Service


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


CurrentService = Annotated[Service, Depends(_service)]
SweepId = Annotated[str, Path(description="id of the sweep, 16 hexadecimal digits")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Before = Annotated[
    int | None, Query(ge=1, le=2**63 - 1, description="continue from the `next` link")
]


def next_page(
    request: Request, headers: MutableHeaders | dict[str, str], **continued: int | None
) -> str | None:
    """Return the address of the page after the one asked for, and link to it (RFC 8288).

    None if where it continues is not known: there is no such page.
    """
    if None in continued.values():
        return None
    address = str(request.url.include_query_params(**continued))
    headers["Link"] = f'<{address}>; rel="next"'
    return address
