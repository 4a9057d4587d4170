"""/v1/keys and /v1/audit: who may do what, and who did what."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from delocal.api.errors import documented
from delocal.api.routes.deps import Before, CurrentService, Limit, next_page
from delocal.api.schemas import AuditEntry, AuditList, KeyCreated, KeyInfo, KeyRequest

router = APIRouter(tags=["keys"])


@router.get("/keys", summary="Every key, without its secret")
def list_keys(service: CurrentService) -> list[KeyInfo]:
    """Expired and revoked keys stay in the list: the audit names them."""
    return [KeyInfo.of(key) for key in service.keys.all()]


@router.post(
    "/keys",
    status_code=201,
    summary="Make a key; its text is in this answer and never again",
    responses=documented(422),
)
def create_key(
    content: KeyRequest, request: Request, response: Response, service: CurrentService
) -> KeyCreated:
    """Send the text as `Authorization: Bearer ...`."""
    key, text = service.keys.create(content.name, content.scopes, content.days)
    response.headers["Location"] = f"{request.base_url}v1/keys/{key.id}"
    response.headers["Cache-Control"] = "no-store"
    return KeyCreated(**KeyInfo.of(key).model_dump(), key=text)


@router.delete(
    "/keys/{key_id}",
    status_code=204,
    summary="Revoke a key",
    responses=documented(404, 409),
)
def revoke_key(key_id: str, service: CurrentService) -> None:
    """It is no good from the next request on."""
    service.keys.revoke(key_id)


@router.get("/audit", summary="Who did what, the newest first")
def list_acts(
    request: Request,
    response: Response,
    service: CurrentService,
    limit: Limit = 100,
    before: Before = None,
) -> AuditList:
    """Every sweep submitted, cancelled, retried or shared, and every key made or revoked."""
    acts = service.audit.newest(limit, before)
    last = acts[-1].id if len(acts) == limit else None
    return AuditList(
        acts=[AuditEntry.of(act) for act in acts],
        next=next_page(request, response.headers, before=last),
    )
