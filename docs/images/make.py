"""Make phase-diagram.png, the picture of the README: python docs/images/make.py PAGE.html.

It writes a page of 1000 x 480 pixels; photograph that with any browser, for instance
chromium --headless --window-size=1000,480 --force-device-scale-factor=2 --virtual-time-budget=8000
--screenshot=docs/images/phase-diagram.png PAGE.html
"""

import sys
from pathlib import Path

import numpy as np

from delocal.service import figures
from delocal.workers.dataset import evaluate

LEGEND = {"orientation": "h", "x": 0.0, "y": -0.2, "font": {"size": 12}}
ds = evaluate("scaling", d=2, alpha=[3.0], beta=[3.0], T=np.geomspace(1e-6, 1e-2, 41), W=[1.0])
ds = ds.isel(alpha=0, beta=0, W=0)

left = figures.phase_diagram(2, points=480)
left.update_layout(title="Regions in d = 2, after Gutman et al. (2016), Fig. 3")
right = figures.Plots(ds).kappa()
right.update_layout(title="kappa by channel at d = 2, alpha = beta = 3", legend=LEGEND)

panels = []
for number, figure in enumerate((left, right)):
    figure.update_layout(
        width=500, height=480, margin={"l": 60, "r": 20, "t": 50, "b": 50}, title_font_size=14
    )
    panels.append(
        figure.to_html(full_html=False, include_plotlyjs=number == 0, config={"staticPlot": True})
    )
style = "margin: 0; display: flex; background: white; overflow: hidden"
Path(sys.argv[1]).write_text(f'<!doctype html><body style="{style}">{"".join(panels)}</body>')
