"""The whole API against its document: whatever is sent, the answer is one that the document names.

Requests are drawn by schemathesis from the OpenAPI document, right ones and wrong ones, and every
check of it holds: no error of the server, no status, type of content or body but those named.
"""

import json
from collections import Counter
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import (
    ChecksConfig,
    CoveragePhaseConfig,
    GenerationConfig,
    PhasesConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.generation import GenerationMode

from delocal.api.app import create_app
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Service, Settings
from tests.api.conftest import ELSEWHERE, HERE
from tests.service.conftest import wait

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
SWEEPS = [
    {
        "models": ["scaling"],
        "axes": {"T": [1e-3, 1e-2, 3e-2, 1e-1][:points], "W": [1, 2]},
        "fixed": {"d": 3, "alpha": 3.5, "beta": 3.5},
    }
    for points in (4, 3, 2)
]
PROBLEM = "application/problem+json"
BASE = "http://127.0.0.1"


def config(edges):
    """Return what is checked; with `edges` the least and largest values of everything are tried."""
    project = ProjectConfig(
        # The document cannot say which model has which parameters: test_request_grammar does.
        checks=ChecksConfig(positive_data_acceptance=PositiveDataAcceptanceConfig(enabled=False)),
        generation=GenerationConfig(deterministic=True, with_security_parameters=False),
        phases=PhasesConfig(coverage=CoveragePhaseConfig(enabled=edges)),
    )
    return SchemathesisConfig(seed=1, projects=ProjectsConfig(default=project))


class World:
    """A service with one sweep, reached from here without a key or from elsewhere with one.

    Tests are made from its document before it is opened for them.
    """

    def __init__(self, local):
        self._local = local
        self.service = self._app = None
        self.headers = {}

    def open(self, folder):
        access = {"rate": 1e6, "burst": 10**6}
        chosen = Settings(data=folder, cluster=ClusterSettings(kind="none"), access=access)
        self.service = Service(chosen)
        self._app = create_app(self.service, local=self._local)
        if not self._local:
            text = self.service.keys.create("all", ["admin"])[1]
            self.headers = {"Authorization": f"Bearer {text}"}

    async def __call__(self, scope, receive, send):
        """Answer as if the request came from where this is."""
        if scope["type"] == "http":
            scope = {**scope, "client": HERE if self._local else ELSEWHERE}
        await self._app(scope, receive, send)

    def document(self):
        """Return the operations; at this machine none of them needs a key."""
        document = json.loads(DOCUMENT.read_text())
        if self._local:
            for methods in document["paths"].values():
                for operation in methods.values():
                    operation.pop("security", None)
        schema = schemathesis.openapi.from_dict(document, config=config(edges=not self._local))
        schema.app = self
        return schema

    def known(self):
        """Return a value of each parameter of a path that leads somewhere."""
        sweep = self.service.sweeps.submit(SweepRequest.parse(SWEEPS[0]))
        wait(self.service.ledger, sweep.id)
        token = self.service.sharing.token(sweep.id, 3600)[0]
        return {"sweep_id": sweep.id, "token": token, "path": "scaling/zarr.json"}


AT_HOME, ABROAD = World(local=True), World(local=False)


@pytest.fixture(scope="module", autouse=True)
def opened(tmp_path_factory):
    for world in (AT_HOME, ABROAD):
        world.open(tmp_path_factory.mktemp("data"))
    yield
    for world in (AT_HOME, ABROAD):
        world.service.close()


def drawn(examples):
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def ask(world, case):
    """Send a request and hold the answer against the document."""
    response = case.call(base_url=BASE, headers=dict(world.headers))
    sent = {"base_url": BASE, "headers": dict(world.headers)}
    case.validate_response(response, headers=world.headers, transport_kwargs=sent)
    check_error(response)


def check_error(response):
    """An error is a problem, RFC 9457."""
    if response.status_code >= 400:
        assert response.headers["content-type"] == [PROBLEM]
        assert response.json()["status"] == response.status_code


def attack(world, case):
    """Send a request as it was drawn, and once more to a sweep that is there."""
    ask(world, case)
    names = set(case.path_parameters or {})
    if names & {"sweep_id", "token"}:
        known = {**world.known(), "name": "curves"}
        case.path_parameters.update({name: known[name] for name in names})
        ask(world, case)


@AT_HOME.document().parametrize()
@drawn(2)
def test_who_needs_no_key_gets_what_the_document_names(case):
    attack(AT_HOME, case)


@ABROAD.document().parametrize()
@drawn(3)
def test_who_has_a_key_gets_what_the_document_names(case):
    attack(ABROAD, case)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@ABROAD.document().parametrize()
@drawn(500)
def test_whatever_is_sent_gets_what_the_document_names(case):
    attack(ABROAD, case)


class Story(ABROAD.document().as_state_machine()):
    """Requests that follow from each other: what one answers is what the next one asks about."""

    def before_call(self, case):
        right = case.meta.generation.mode == GenerationMode.POSITIVE
        if right and case.operation.label == "POST /v1/sweeps":  # few drawn ones could be computed
            case.body = SWEEPS[len(str(case.body)) % len(SWEEPS)]
            case.query.pop("dry_run", None)  # what was only asked about is not there

    def get_call_kwargs(self, case):
        return {"base_url": BASE, "headers": dict(ABROAD.headers)}

    def after_call(self, response, case):
        super().after_call(response, case)
        check_error(response)
        STORIES.update([(case.operation.label, response.status_code)])


STORIES = Counter()
"""How often which route gave which answer."""


def test_requests_that_follow_from_each_other_get_what_the_document_names():
    STORIES.clear()
    Story.run(settings=settings(drawn(12), stateful_step_count=10))
    told = {label for label, status in STORIES if status < 400}
    assert "POST /v1/sweeps" in told
    assert any("{sweep_id}" in label for label in told)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_long_stories_get_what_the_document_names():
    STORIES.clear()
    Story.run(settings=settings(drawn(400), stateful_step_count=40))
    told = {label for label, status in STORIES if status < 400}
    assert {f"POST /v1/sweeps/{{sweep_id}}:{end}" for end in ("share", "extend", "purge")} <= told
