"""Figures: the right data on them, with names and equations."""

import numpy as np
import pytest

from delocal.service import figures
from delocal.workers.dataset import evaluate


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_phase_diagram_names_every_region(d):
    figure = figures.phase_diagram(d, points=80)
    texts = {annotation.text for annotation in figure.layout.annotations}
    assert texts == {"out of domain", "I", "IIa", "IIb", "IIc", "III", "MBL"}
    heatmap = figure.data[0]
    here = np.argmin(np.abs(heatmap.y - 1.5 * d)), np.argmin(np.abs(heatmap.x - 1.75 * d))
    assert heatmap.text[here] == "IIb"


def test_cells_that_were_excluded_are_not_marked():
    ds = evaluate("scaling", d=2, alpha=[3, 4], beta=[2.5, 3], T=1e-3, W=1)
    ds["status"] = ds.status.where((ds.alpha != 4) | (ds.beta != 3), 6)
    marks = figures.phase_diagram(2, points=16, cells=ds).data[1]
    assert np.isfinite(marks.x).sum() == 3


def test_kappa_has_a_line_for_each_channel_that_exists():
    ds = evaluate("scaling", d=2, alpha=5, beta=3, T=np.geomspace(1e-6, 1e-2, 5), W=1)
    figure = figures.kappa_over_temperature(ds)
    assert len(figure.data) == 7
    slope = np.polyfit(figure.data[0].x, figure.data[0].y, 1)[0]
    assert slope == pytest.approx(19)  # spectral diffusion at (2, 5, 3)
    assert "Eq. (77)" in figure.data[0].name
    in_iib = evaluate("scaling", d=2, alpha=3, beta=3, T=np.geomspace(1e-6, 1e-2, 5), W=1)
    assert len(figures.kappa_over_temperature(in_iib).data) == 4


def test_a_page_needs_no_network():
    html = figures.page("title", [figures.phase_diagram(2, points=16)] * 2)
    assert html.count("plotly.js v") == 1
    assert 'src="http' not in html
