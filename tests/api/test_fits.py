"""/v1/sweeps/{id}/fits: the same numbers as in Python, and every mistake a problem."""

import pytest
import xarray as xr

from delocal.service.fits import fit
from tests.api.test_rest import REQUEST, submit, wait


@pytest.fixture
def sweep(rest):
    sweep = submit(rest)
    wait(rest, sweep)
    return sweep["id"]


def ask(rest, sweep, **query):
    usual = {"variable": "kappa_sd", "over": "T"}
    return rest.get(f"/v1/sweeps/{sweep}/fits", params=usual | query)


def dataset(answer):
    """Return the answer as the dataset that it was."""
    parts = {
        part: {name: (a["dims"], a["values"], a["attrs"]) for name, a in answer[part].items()}
        for part in ("data", "coords")
    }
    return xr.Dataset(parts["data"], parts["coords"])


def test_the_answer_is_the_fit_of_python(rest, service, sweep):
    answer = ask(rest, sweep).json()
    ds = service.datasets.get(service.sweeps.store(sweep), None)
    expected = fit(ds, "kappa_sd", "T")
    found = dataset(answer)
    assert set(found.data_vars) == set(expected.data_vars)
    assert found.exponent.dims == ("d", "alpha", "W")
    for name in expected.data_vars:
        xr.testing.assert_allclose(found[name].astype(float), expected[name].astype(float))
    assert (answer["variable"], answer["over"]) == ("kappa_sd", "T")
    assert answer["law"] == "kappa_sd = a T^exponent"
    assert answer["rule"] == "all points"


def test_a_caller_that_has_the_answer_is_told_so(rest, sweep):
    first = ask(rest, sweep, window="low")
    tag = first.headers["ETag"]
    query = {"variable": "kappa_sd", "over": "T", "window": "low"}
    again = rest.get(f"/v1/sweeps/{sweep}/fits", params=query, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert ask(rest, sweep).headers["ETag"] != tag


def test_cells_window_and_correction_are_chosen(rest, sweep):
    answer = ask(
        rest,
        sweep,
        sel=["d=2", "alpha=3", "W=1,2"],
        window="1e-6,1e-4",
        correction="T^0.5,T",
        nearest=True,
    ).json()
    assert answer["sizes"] == {"W": 2, "correction": 2, "interval": 40}
    assert answer["data"]["window_high"]["values"] == pytest.approx([1e-4, 1e-4])
    assert answer["data"]["exponent"]["values"] == pytest.approx([3, 3])
    assert answer["coords"]["correction"]["values"] == ["T^0.5", "T"]
    assert answer["law"] == "kappa_sd = a T^exponent (1 + c1 T^0.5 + c2 T)"
    towards = ask(rest, sweep, window="low", sel=["d=2", "W=1"]).json()
    assert towards["rule"].startswith("towards the smallest T")


def test_what_is_not_a_number_is_null(rest, sweep):
    answer = ask(rest, sweep, sel=["d=2", "alpha=3,6", "W=1"]).json()
    assert answer["data"]["sigmas"]["values"] == [None, None]  # no error bars
    exponent = answer["data"]["exponent"]["values"]
    assert exponent[0] == pytest.approx(3)
    assert exponent[1] is None  # localized: kappa is 0
    assert answer["data"]["points"]["values"] == [41, 0]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"variable": "kapa_sd"}, "did you mean 'kappa_sd'"),
        ({"over": "Tt"}, "no axis 'Tt'"),
        ({"over": "W"}, "a fit needs 3"),
        ({"over": "t"}, "varies along"),
        ({"correction": "N1"}, "correction 'N1' is neither"),
        ({"window": "1e-6"}, "write two ends such as"),
        ({"window": "auto"}, "or `low` or `high`"),
        ({"sel": "W"}, "write a coordinate and values"),
        ({"sel": ["W=1", "W=2"]}, "W is given twice"),
        ({"sel": "T=1e-6"}, "a fit over T needs several values"),
        ({"sel": "alpha=3.14159"}, "nearest are"),
    ],
)
def test_a_wrong_question_is_a_problem(rest, sweep, query, message):
    response = ask(rest, sweep, **query)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert message in response.json()["detail"]


def test_what_is_missing_or_too_much_is_told(rest, sweep, monkeypatch):
    assert rest.get(f"/v1/sweeps/{sweep}/fits").status_code == 422
    assert ask(rest, "0123456789abcdef").status_code == 404
    assert ask(rest, sweep, model="network").status_code == 404
    monkeypatch.setattr("delocal.service.fits.MAX_WORK", 1000)
    refused = ask(rest, sweep, window="low")
    assert refused.status_code == 413
    assert "give the window" in refused.json()["detail"]


def test_several_models_need_a_name(rest):
    temperatures = {"T": {"geomspace": [1e-6, 1e-2, 5]}}
    fixed = {**REQUEST["fixed"], "d": 2, "alpha": 3, "beta": 3, "W": 1}
    request = {"models": ["scaling", "resonant-bath"], "axes": temperatures, "fixed": fixed}
    sweep = submit(rest, request)
    wait(rest, sweep)
    assert "say which: scaling, resonant-bath" in ask(rest, sweep["id"]).json()["detail"]
    assert ask(rest, sweep["id"], model="scaling").json()["data"]["exponent"]["values"] == 3
