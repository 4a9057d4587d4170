"""The demonstration does what it shows."""

import io

from rich.console import Console

from delocal.api.demo import show


def test_the_demonstration_prints_the_exponents_and_writes_its_page(tmp_path):
    text = io.StringIO()
    show(tmp_path / "out", Console(file=text, width=200))
    said = text.getvalue()
    assert "is done" in said
    assert "-6.666667" in said
    assert "data.zarr/scaling" in said
    page = (tmp_path / "out" / "demo.html").read_text()
    assert page.count("plotly-graph-div") >= 4
