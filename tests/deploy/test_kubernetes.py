"""The manifests: valid by the API's own models, and consistent with each other and with us."""

import json

import pytest

from delocal.workers.clusters.kubernetes import cluster_resource
from delocal.workers.clusters.spec import ClusterSpec
from tests.deploy.conftest import DEPLOY
from tests.deploy.kustomize import containers, render
from tests.manifests import against, problems

FOLDERS = ("workers", "operator")


@pytest.fixture(params=FOLDERS)
def manifests(request):
    return render(DEPLOY / "kubernetes" / request.param)


def of_kind(manifests, kind):
    return {m["metadata"]["name"]: m for m in manifests if m["kind"] == kind}


def test_every_manifest_is_valid(manifests):
    assert len(manifests) > 5
    assert {m["metadata"]["name"]: problems(m) for m in manifests if problems(m)} == {}


def test_a_mistake_is_found():
    manifests = render(DEPLOY / "kubernetes/workers")
    service = of_kind(manifests, "Deployment")["service"]
    service["spec"]["template"]["spec"]["containers"][0]["imagePulPolicy"] = "Always"
    assert "imagePulPolicy" in problems(service)[0]


def test_commands_exist_and_settings_are_read(manifests, parse_command, read_settings):
    for deployment in of_kind(manifests, "Deployment").values():
        for container in containers(deployment):
            assert parse_command(container["args"]) is not None
            plain = {e["name"]: e["value"] for e in container.get("env", ()) if "value" in e}
            if plain:
                settings = read_settings(plain)
                ClusterSpec(**dict(settings.cluster)).check()


def test_pods_run_without_root_and_privileges(manifests):
    for deployment in of_kind(manifests, "Deployment").values():
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        for container in containers(deployment):
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"]
            assert not security["allowPrivilegeEscalation"]
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["image"].startswith("registry.example.org/delocal:")


def test_secrets_are_referred_to_and_never_here(manifests):
    assert not of_kind(manifests, "Secret")
    [service] = containers(of_kind(manifests, "Deployment")["service"])
    by_reference = {e["name"] for e in service["env"] if "secretKeyRef" in e.get("valueFrom", {})}
    assert by_reference == {"DELOCAL_DATABASE_URL"}


def test_names_of_volumes_ports_and_selectors_fit(manifests):
    claims = of_kind(manifests, "PersistentVolumeClaim")
    deployments = of_kind(manifests, "Deployment")
    for deployment in deployments.values():
        pod = deployment["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for volume in volumes.values():
            if claim := volume.get("persistentVolumeClaim"):
                assert claim["claimName"] in claims
        for container in containers(deployment):
            assert {m["name"] for m in container["volumeMounts"]} == set(volumes)
            ports = {port["name"] for port in container.get("ports", ())}
            for name in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe := container.get(name):
                    assert probe["httpGet"]["port"] in ports
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for service in of_kind(manifests, "Service").values():
        [target] = [
            d
            for d in deployments.values()
            if service["spec"]["selector"].items()
            <= d["spec"]["template"]["metadata"]["labels"].items()
        ]
        ports = {port["name"] for c in containers(target) for port in c["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_workers_follow_the_work_and_survive_a_drain():
    manifests = render(DEPLOY / "kubernetes/workers")
    deployments = of_kind(manifests, "Deployment")
    target = of_kind(manifests, "HorizontalPodAutoscaler")["worker"]["spec"]
    assert target["scaleTargetRef"]["name"] in deployments
    assert "replicas" not in deployments["worker"]["spec"]  # or each apply would undo the scaling
    budget = of_kind(manifests, "PodDisruptionBudget")["worker"]["spec"]["selector"]["matchLabels"]
    worker = deployments["worker"]["spec"]["template"]["metadata"]["labels"]
    assert budget.items() <= worker.items()


def test_the_service_may_do_what_the_operator_cluster_does(certificates):
    manifests = render(DEPLOY / "kubernetes/operator")
    role = of_kind(manifests, "Role")["delocal"]
    rights = {r: set(rule["verbs"]) for rule in role["rules"] for r in rule["resources"]}
    assert rights["daskclusters"] >= {"create", "delete"}
    assert rights["daskworkergroups"] >= {"patch"}
    pod = of_kind(manifests, "Deployment")["service"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] in of_kind(manifests, "ServiceAccount")
    env = {e["name"]: e.get("value") for e in pod["containers"][0]["env"]}
    options = json.loads(env["DELOCAL_CLUSTER__OPTIONS"])
    assert options["image"] == pod["containers"][0]["image"]
    spec = ClusterSpec(
        kind="kubernetes",
        maximum=int(env["DELOCAL_CLUSTER__MAXIMUM"]),
        options=options,
        tls=certificates / "service",
    )
    for role_ in ("scheduler", "worker"):
        pod = cluster_resource(spec, 0)["spec"][role_]["spec"]
        assert against(pod, "V1PodSpec") == []
        assert pod["volumes"][-1]["persistentVolumeClaim"]["claimName"] == "data"
