"""What every route needs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Request

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
