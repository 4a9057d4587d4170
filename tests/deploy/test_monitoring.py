"""Prometheus and Grafana ask for numbers that a running service has, and ask for them rightly."""

import json
import re
from collections import defaultdict

import promql_parser as promql
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import delocal
from delocal.api.serving import serving
from delocal.service.settings import Service, Settings
from tests.api.conftest import client_of
from tests.deploy.conftest import DEPLOY

OF_LEDGER = {"delocal_sweeps", "delocal_blocks", "delocal_queue_depth"}
"""Gauges that every service of one ledger reports alike."""
SUMMING = {"sum", "avg", "count", "stddev", "stdvar"}
PROMETHEUS_OWN = {"instance", "job"}
REQUEST = {
    "models": ["scaling"],
    "axes": {"T": {"geomspace": [1e-6, 1e-2, 50]}},
    "fixed": {"d": 3, "alpha": 3, "beta": 3, "W": 1},
}


def samples_of(text):
    """Return the type of every sample and the names of its labels."""
    types, labels = {}, defaultdict(set)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            types[sample.name] = family.type
            labels[sample.name] |= sample.labels.keys()
    return types, labels


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """What two services on one ledger report, of which the first has done a sweep."""
    settings = Settings(data=tmp_path_factory.mktemp("data"), cluster={"kind": "none"})
    with serving(settings) as (url, _), delocal.connect(url) as client:
        client.submit(REQUEST).wait()
        second = Service(settings)
        try:
            return client.get_bytes("/metrics").decode(), second.metrics.text().decode()
        finally:
            second.close()


@pytest.fixture(scope="module")
def exported(numbers):
    types, labels = samples_of(numbers[0])
    return {**types, "up": "gauge"}, {**labels, "up": set()}


def panels():
    return json.loads((DEPLOY / "grafana/dashboards/delocal.json").read_text())["panels"]


def alerts():
    content = yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text())
    return [rule for group in content["groups"] for rule in group["rules"]]


EXPRESSIONS = sorted(
    {target["expr"] for panel in panels() for target in panel["targets"]}
    | {rule["expr"] for rule in alerts()}
)


def nodes(expression):
    """Return every part of an expression, each with those that it is in, the outermost first."""
    found, inside = [], []

    def enter(node):
        found.append((node, tuple(inside)))
        inside.append(node)

    promql.walk(promql.parse(expression), enter, lambda _: inside.pop() and None)
    return found


def metrics(expression):
    """Return each metric of an expression with what it is in."""
    return [
        (n.name, above) for n, above in nodes(expression) if isinstance(n, promql.VectorSelector)
    ]


def grouping(node):
    return set(node.modifier.labels) if node.modifier else set()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_for_what_there_is(expression, exported):
    types, labels = exported
    for name, above in metrics(expression):
        assert name in types
        by = [grouping(node) for node in above if isinstance(node, promql.AggregateExpr)]
        assert set().union(*by) <= labels[name] | PROMETHEUS_OWN
    for node, _ in nodes(expression):
        if isinstance(node, promql.Call) and node.func.name == "histogram_quantile":
            assert "le" in grouping(node.args[1])


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_counters_are_rates_and_gauges_are_not(expression, exported):
    for name, above in metrics(expression):
        called = {node.func.name for node in above if isinstance(node, promql.Call)}
        assert bool(called & {"rate", "increase"}) == (exported[0][name] != "gauge")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_every_service_reports_alike_is_not_summed(expression):
    for name, above in metrics(expression):
        over = {str(node.op) for node in above if isinstance(node, promql.AggregateExpr)}
        assert not (name in OF_LEDGER and over & SUMMING)


def test_gauges_of_the_ledger_are_alike_and_others_are_not(numbers):
    first, second = (
        {s.name: s.value for f in text_string_to_metric_families(t) for s in f.samples}
        for t in numbers
    )
    sweeps = [
        [line for line in text.splitlines() if line.startswith("delocal_sweeps")]
        for text in numbers
    ]
    assert sweeps[0] == sweeps[1]
    assert 'delocal_sweeps{state="done"} 1.0' in sweeps[0]
    assert {name: first[name] for name in OF_LEDGER} == {name: second[name] for name in OF_LEDGER}
    assert first["delocal_written_bytes_total"] > 0
    assert "delocal_written_bytes_total" not in second


def test_a_sum_that_counts_twice_is_found():
    with pytest.raises(AssertionError):
        test_what_every_service_reports_alike_is_not_summed("sum by (state) (delocal_sweeps)")


def test_every_number_of_ours_is_on_the_dashboard(exported):
    names = {name for p in panels() for t in p["targets"] for name, _ in metrics(t["expr"])}
    ours = {name for name in exported[0] if name.startswith("delocal_")}
    part = re.compile(r"_(total|created|bucket|count|sum)$")
    assert {part.sub("", name) for name in ours} == {part.sub("", name) for name in names}


def test_legends_name_labels_that_are_left():
    for panel in panels():
        for target in panel["targets"]:
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            by = [
                grouping(n) for n, _ in nodes(target["expr"]) if isinstance(n, promql.AggregateExpr)
            ]
            assert named <= (by[0] if by else PROMETHEUS_OWN), target


def test_panels_have_a_source_and_a_place_of_their_own():
    source = DEPLOY / "grafana/provisioning/datasources/prometheus.yaml"
    [source] = yaml.safe_load(source.read_text())["datasources"]
    for panel in panels():
        assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
    places = {tuple(panel["gridPos"].values()) for panel in panels()}
    assert len(places) == len({panel["id"] for panel in panels()}) == len(panels())


def test_prometheus_asks_the_service_and_grafana_asks_prometheus(compose):
    prometheus = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    [job] = prometheus["scrape_configs"]
    [target] = job["static_configs"][0]["targets"]
    host, port = target.split(":")
    command = compose["services"][host]["command"]
    assert command[command.index("--port") + 1] == port
    source = DEPLOY / "grafana/provisioning/datasources/prometheus.yaml"
    [source] = yaml.safe_load(source.read_text())["datasources"]
    assert source["url"].removeprefix("http://").split(":")[0] in compose["services"]
    provider = DEPLOY / "grafana/provisioning/dashboards/delocal.yaml"
    [provider] = yaml.safe_load(provider.read_text())["providers"]
    assert list(mounted(compose, "grafana")[provider["options"]["path"]].glob("*.json"))


def test_prometheus_finds_its_rules_and_a_key(compose):
    """The key is an empty file, which a service without keys does not look at, or a real one."""
    folders = mounted(compose, "prometheus")
    config = "/etc/prometheus/prometheus.yml"
    assert f"--config.file={config}" in compose["services"]["prometheus"]["command"]
    content = yaml.safe_load((folders["/etc/prometheus"] / "prometheus.yml").read_text())
    assert [(folders["/etc/prometheus"] / name).exists() for name in content["rule_files"]] == [
        True
    ]
    [job] = content["scrape_configs"]
    assert folders[job["authorization"]["credentials_file"]].read_text() == ""


def mounted(compose, name):
    """Return what of `deploy/` a container sees, by where it sees it."""
    pairs = [volume.split(":")[:2] for volume in compose["services"][name]["volumes"]]
    return {there: DEPLOY / here for here, there in pairs if here.startswith("./")}


@pytest.mark.parametrize(("keys", "status"), [("never", 200), ("always", 401)])
def test_an_empty_key_is_none(tmp_path, keys, status):
    service = Service(Settings(data=tmp_path, cluster={"kind": "none"}, access={"keys": keys}))
    try:
        with client_of(service) as client:
            headers = {"Authorization": "Bearer "}
            assert client.get("/metrics", headers=headers).status_code == status
    finally:
        service.close()


def test_alerts_say_what_is_wrong():
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names) > 4
    assert all(len(rule["annotations"]["summary"]) > 20 for rule in alerts())
