"""What every route needs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from delocal.service.settings import Service


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


CurrentService = Annotated[Service, Depends(_service)]
SweepId = Annotated[str, Path(description="id of the sweep, 16 hexadecimal digits")]
