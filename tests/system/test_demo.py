"""The demonstration does what it shows."""

import io

from rich.console import Console

from delocal.api.cli import running
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
