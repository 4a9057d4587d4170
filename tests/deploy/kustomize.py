"""What `kubectl kustomize` makes of our folders: resources, patches by name, images, namespace."""

from pathlib import Path

import yaml

CLUSTER_WIDE = {"Namespace"}


def render(folder):
    """Return the manifests of a folder with a kustomization.yaml."""
    folder = Path(folder)
    wanted = yaml.safe_load((folder / "kustomization.yaml").read_text())
    known = {"apiVersion", "kind", "namespace", "resources", "patches", "images", "labels"}
    assert wanted.keys() <= known, "this reader does not know all of it"
    found = []
    for name in wanted["resources"]:
        path = folder / name
        found += render(path) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    for patch in wanted.get("patches", ()):
        change = yaml.safe_load((folder / patch["path"]).read_text())
        [target] = [m for m in found if identity(m) == identity(change)]
        found[found.index(target)] = merge(target, change)
    for manifest in found:
        if manifest["kind"] not in CLUSTER_WIDE:
            manifest["metadata"]["namespace"] = wanted["namespace"]
        for labels in wanted.get("labels", ()):
            manifest["metadata"].setdefault("labels", {}).update(labels["pairs"])
        for container in containers(manifest):
            for image in wanted.get("images", ()):
                if container["image"] == image["name"]:
                    container["image"] = f"{image['newName']}:{image['newTag']}"
    return found


def identity(manifest):
    return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]


def containers(manifest):
    """Return the containers of a workload; none of anything else."""
    template = manifest.get("spec", {}).get("template", {})
    return template.get("spec", {}).get("containers", [])


def merge(value, change):
    """Merge as Kubernetes does: mappings by key, lists of named things by name."""
    if isinstance(value, dict) and isinstance(change, dict):
        both = {k: merge(value[k], change[k]) for k in value.keys() & change.keys()}
        return {**value, **change, **both}
    if isinstance(value, list) and all(isinstance(one, dict) and "name" in one for one in change):
        old, new = ({one["name"]: one for one in many} for many in (value, change))
        return list(merge(old, new).values())
    return change
