"""Gutman et al. (2016), Fig. 3: the regions of the power-law spin model."""

from __future__ import annotations

import plotly.graph_objects as go

from delocal.service import figures
from delocal.service.reproduce import Drawn, Reproduction, Trees


def draw(trees: Trees) -> Drawn:
    """Draw the regions over (alpha, beta) in d = 2."""
    return Drawn(CAPTION, _figure(trees))


CAPTION = (
    "Regions I, IIa, IIb, IIc, III and MBL over (alpha, beta) in d = 2. Every border is that of "
    "the paper: alpha = d, beta = d, alpha = 2d, D = 0 and beta = 2d."
)


def _figure(trees: Trees) -> go.Figure:
    return figures.phase_diagram(2, cells=trees["scaling"]["scaling"].to_dataset())


reproductions = (
    Reproduction(
        name="gutman-fig3",
        title="Phase diagram of the power-law spin model in two dimensions",
        source="Gutman et al. (2016), Fig. 3",
        requests={
            "scaling": {
                "models": ["scaling"],
                "axes": {
                    "alpha": {"linspace": [1.2, 8.8, 39]},
                    "beta": {"linspace": [1.2, 4.8, 37]},
                },
                "fixed": {"d": 2, "T": 1e-3, "W": 1},
                "exclude": [{"alpha": {"lt": "beta"}}],
            }
        },
        draw=draw,
    ),
)
