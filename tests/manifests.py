"""Check Kubernetes manifests against the API's own models: every field known, none missing."""

from kubernetes import client
from pydantic import ValidationError

MODELS = {"v1": "V1", "apps/v1": "V1", "policy/v1": "V1", "autoscaling/v2": "V2"}
MODELS |= {"networking.k8s.io/v1": "V1", "rbac.authorization.k8s.io/v1": "V1"}


def problems(manifest):
    """Return what the API server would say against a manifest of a kind that it knows."""
    return against(manifest, f"{MODELS[manifest['apiVersion']]}{manifest['kind']}")


def against(value, model):
    """Return what is wrong with `value` as the type `model` of the API."""
    try:
        found = getattr(client, model).model_validate(value)
    except ValidationError as error:
        return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    written = found.model_dump(by_alias=True, exclude_none=True, mode="json")
    return [] if written == value else [f"{value} is read as {written}"]  # a name in snake_case
