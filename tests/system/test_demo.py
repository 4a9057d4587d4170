"""The demonstration does what it shows."""

import io

import numpy as np
from rich.console import Console

import delocal
from delocal.api.cli import running
from delocal.api.demo import MEASURED, kappa_measured
from tests.api.cli_world import run


def test_the_demonstration_prints_the_exponents_and_writes_its_page(tmp_path, monkeypatch):
    text = io.StringIO()
    monkeypatch.setattr(running, "out", Console(file=text, width=200))
    monkeypatch.chdir(tmp_path)
    run("delocal demo -o elsewhere")
    said = text.getvalue()
    assert "is done" in said
    assert "-6.666667" in said
    assert "data.zarr/scaling" in said
    page = (tmp_path / "elsewhere" / "demo.html").read_text()
    assert page.count("plotly-graph-div") >= 4
    assert "with R1(T) by Monte Carlo" in page


def test_the_points_of_the_demonstration_follow_from_the_measured_size():
    few = {**MEASURED, "sampling": {"replicas": 4}}
    network = delocal.run(few)["network"].to_dataset()
    found = kappa_measured(network)
    expected = network["T"] * 0.02**2 * network.R1**-2
    np.testing.assert_allclose(found.kappa, expected)
    np.testing.assert_allclose(found.kappa_stderr / found.kappa, 2 * network.R1_stderr / network.R1)
