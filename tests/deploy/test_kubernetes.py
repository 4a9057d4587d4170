"""The manifests: valid by the API's own models, and consistent with each other and with us."""

import json

import pytest
from dask.utils import parse_bytes

from delocal.workers.clusters import kubernetes
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


def test_images_are_those_of_the_registry(manifests):
    for deployment in of_kind(manifests, "Deployment").values():
        for container in containers(deployment):
            assert container["image"].startswith("registry.example.org/delocal:")


def test_pods_are_let_in_where_the_strictest_rules_hold(manifests, pods):
    namespace = of_kind(manifests, "Namespace")["delocal"]["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {name: breaches(pod) for name, pod in pods.items() if breaches(pod)} == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"hostNetwork": True},
        {"securityContext": {"runAsNonRoot": True}},
        {"volumes": [{"name": "data", "hostPath": {"path": "/"}}]},
    ],
)
def test_a_pod_that_would_be_refused_is_found(wrong):
    manifests = render(DEPLOY / "kubernetes/workers")
    pod = of_kind(manifests, "Deployment")["worker"]["spec"]["template"]["spec"]
    assert breaches(pod) == []
    assert len(breaches({**pod, **wrong})) == 1


def breaches(pod):
    """Return what the Pod Security Standard `restricted` says against a pod."""
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    context = pod["securityContext"]
    if not context.get("runAsNonRoot") or context.get("runAsUser") == 0:
        found.append("runs as root")
    elif context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        found.append("seccompProfile")
    allowed = {"emptyDir", "persistentVolumeClaim", "secret"}
    found += [v["name"] for v in pod["volumes"] if not v.keys() <= allowed | {"name"}]
    for container in pod["containers"]:
        security = container["securityContext"]
        if security["allowPrivilegeEscalation"] or security["capabilities"] != {"drop": ["ALL"]}:
            found.append(container["name"])
    return found


def test_pods_write_to_their_volumes_alone_and_not_without_end(pods):
    for name, pod in pods.items():
        assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch", name
        assert all("sizeLimit" in v["emptyDir"] for v in pod["volumes"] if "emptyDir" in v)
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            places = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert places >= {"/tmp", "/var/cache/delocal"}, name


def test_only_who_makes_pods_may_ask_the_api_of_kubernetes(manifests, pods):
    makes = "Role" in {manifest["kind"] for manifest in manifests}
    asks = {name for name, pod in pods.items() if pod["automountServiceAccountToken"]}
    assert asks == ({"service"} if makes else set())
    assert not any(pod["enableServiceLinks"] for pod in pods.values())


def test_pods_are_given_memory_and_workers_know_how_much(pods):
    """Without a limit of its own a worker takes the share of one core in what it is given."""
    for name, pod in pods.items():
        [container] = pod["containers"]
        wanted, limit = container["resources"]["requests"], container["resources"]["limits"]
        assert {"cpu", "memory"} <= wanted.keys(), name
        assert parse_bytes(limit["memory"]) > parse_bytes(wanted["memory"])
        if container["args"][0] == "worker":
            words = container["args"]
            if "--memory" in words:
                known = parse_bytes(words[words.index("--memory") + 1])
            else:
                assert limit["cpu"] == "1"
                known = parse_bytes(limit["memory"])
            assert parse_bytes(wanted["memory"]) <= known <= parse_bytes(limit["memory"])


def test_the_service_has_the_time_to_start_and_to_stop(manifests, longest_stop):
    pod = of_kind(manifests, "Deployment")["service"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > longest_stop
    [container] = pod["containers"]
    startup = container["startupProbe"]
    patience = startup["periodSeconds"] * startup["failureThreshold"]
    assert patience > kubernetes.START_SECONDS
    assert container["readinessProbe"]["httpGet"]["path"] == "/healthz"  # reading asks no worker


def test_two_versions_of_a_service_never_share_a_ledger(manifests):
    """The new one migrates it when it starts: the old one has ended then."""
    spec = of_kind(manifests, "Deployment")["service"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_pages_of_the_scheduler_are_for_its_own_pod(parse_command):
    manifests = render(DEPLOY / "kubernetes/workers")
    [scheduler] = containers(of_kind(manifests, "Deployment")["scheduler"])
    assert parse_command(scheduler["args"])["http"] == "127.0.0.1:8787"
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = scheduler[name]
        assert "'http://127.0.0.1:8787/health', timeout=9" in probe["exec"]["command"][-1]
        assert probe["timeoutSeconds"] > 9
    ports = {port["containerPort"] for port in scheduler["ports"]}
    [policy] = [
        m
        for m in manifests
        if m["kind"] == "NetworkPolicy" and m["metadata"]["name"] == "scheduler"
    ]
    assert ports == {port["port"] for port in policy["spec"]["ingress"][0]["ports"]} == {8786}


def test_secrets_are_referred_to_and_never_here(manifests, pods):
    assert not of_kind(manifests, "Secret")
    [service] = containers(of_kind(manifests, "Deployment")["service"])
    references = {e["name"]: e["valueFrom"] for e in service["env"] if "valueFrom" in e}
    database = {n: r["secretKeyRef"]["key"] for n, r in references.items()}
    assert database == {"DELOCAL_DATABASE_URL": "url", "PGPASSWORD": "password"}
    bucket = [{"secretRef": {"name": "delocal-s3", "optional": True}}]
    for name, pod in pods.items():
        if "data" in {volume["name"] for volume in pod["volumes"]}:
            assert pod["containers"][0]["envFrom"] == bucket, name


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
                if "httpGet" in (probe := container.get(name, {})):
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
    spread = deployments["worker"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [rule["topologyKey"] for rule in spread] == ["kubernetes.io/hostname"]


def test_no_budget_keeps_a_node_from_being_drained(manifests):
    deployments = of_kind(manifests, "Deployment")
    budgets = of_kind(manifests, "PodDisruptionBudget")
    assert budgets.keys() == deployments.keys() & {"worker"}  # of which there are several
    for name, budget in budgets.items():
        labels = deployments[name]["spec"]["template"]["metadata"]["labels"]
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert int(budget["spec"]["maxUnavailable"].removesuffix("%")) > 0


def test_who_may_speak_to_whom_exists(manifests):
    deployments = of_kind(manifests, "Deployment")
    for name, policy in of_kind(manifests, "NetworkPolicy").items():
        spec = policy["spec"]
        labels = deployments[name]["spec"]["template"]["metadata"]["labels"]
        assert spec["podSelector"]["matchLabels"].items() <= labels.items()
        [rule] = spec["ingress"]
        [match] = rule["from"][0]["podSelector"]["matchExpressions"]
        assert set(match["values"]) <= deployments.keys()


@pytest.fixture
def operated(certificates):
    """The manifests with the operator, and the cluster that their service asks for."""
    manifests = render(DEPLOY / "kubernetes/operator")
    [service] = containers(of_kind(manifests, "Deployment")["service"])
    env = {e["name"]: e.get("value") for e in service["env"]}
    spec = ClusterSpec(
        kind="kubernetes",
        maximum=int(env["DELOCAL_CLUSTER__MAXIMUM"]),
        options=json.loads(env["DELOCAL_CLUSTER__OPTIONS"]),
        tls=certificates / "service",
    )
    return manifests, spec


@pytest.fixture
def pods(request, manifests):
    """The specification of every pod: of deployments, and of what the operator is asked for."""
    found = {n: d["spec"]["template"]["spec"] for n, d in of_kind(manifests, "Deployment").items()}
    if "worker" in found:
        return found
    cluster = cluster_resource(request.getfixturevalue("operated")[1], 0)["spec"]
    return {**found, **{role: cluster[role]["spec"] for role in ("scheduler", "worker")}}


def test_pods_of_the_operator_cluster_are_what_the_api_takes(operated):
    manifests, spec = operated
    service = of_kind(manifests, "Deployment")["service"]["spec"]["template"]["spec"]
    assert spec.options["image"] == service["containers"][0]["image"]
    assert spec.options["namespace"] == "delocal"
    claims = of_kind(manifests, "PersistentVolumeClaim")
    for role in ("scheduler", "worker"):
        pod = cluster_resource(spec, 0)["spec"][role]["spec"]
        assert against(pod, "V1PodSpec") == []
        used = {
            v["persistentVolumeClaim"]["claimName"]
            for v in pod["volumes"]
            if "persistentVolumeClaim" in v
        }
        assert used == claims.keys()


class RecordedApi:
    """The API of custom resources, which notes what is asked; there is no resource yet."""

    def __init__(self):
        self.asked = {}

    def __getattr__(self, name):
        def ask(plural, **_):
            verb = name.removesuffix("_namespaced_custom_object")
            self.asked.setdefault(plural, set()).add(verb)
            if verb == "delete":
                raise kubernetes.client.ApiException(404)

        return ask


def test_the_service_may_do_what_it_does_and_no_more(operated, monkeypatch):
    manifests, spec = operated
    api = RecordedApi()
    monkeypatch.setattr(kubernetes.client, "CustomObjectsApi", lambda _: api)
    monkeypatch.setattr(kubernetes, "_configuration", lambda _: kubernetes.client.Configuration())
    monkeypatch.setattr(kubernetes.OperatorCluster, "_wait_for_scheduler", lambda _: None)
    cluster = kubernetes.start(spec, 0)
    cluster.scale(2)
    cluster.close()
    role = of_kind(manifests, "Role")["delocal"]
    assert all(rule["apiGroups"] == [kubernetes.GROUP] for rule in role["rules"])
    rights = {name: set(rule["verbs"]) for rule in role["rules"] for name in rule["resources"]}
    assert rights == api.asked
    [binding] = of_kind(manifests, "RoleBinding").values()
    [subject] = binding["subjects"]
    pod = of_kind(manifests, "Deployment")["service"]["spec"]["template"]["spec"]
    assert subject["name"] == pod["serviceAccountName"]
    assert subject["name"] in of_kind(manifests, "ServiceAccount")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
