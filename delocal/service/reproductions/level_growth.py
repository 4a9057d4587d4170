"""The disorder at which a ring of spins localizes, and how it grows with the ring."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from delocal.physics.level_flow import crosses, growth_exponent
from delocal.physics.levels import GOE, POISSON
from delocal.physics.thresholds import Estimate
from delocal.service.figures import DASHES, PALETTE
from delocal.service.reproduce import Drawn, Reproduction, Trees

LEVEL = 0.46
SIZES = {10: (16, 60), 12: (4, 30)}  # realizations in a replica, replicas
WINDOWS = {
    1.0: [16, 19, 22, 26, 31],
    1.25: [14, 16, 19, 22, 26],
    1.5: [12, 14, 16, 19, 22],
    2.5: [7, 8.5, 10, 12, 14],
}


def label_of(alpha: float, N: int) -> str:
    """Return the name of the sweep of one range and size."""
    return f"{alpha:g}-{N}"


def request_of(alpha: float, N: int) -> dict[str, Any]:
    """Return the sweep of one range and size over the disorder."""
    realizations, replicas = SIZES[N]
    return {
        "models": ["level-statistics"],
        "axes": {"W": WINDOWS[alpha]},
        "fixed": {"alpha": alpha, "beta": alpha, "N": N},
        "options": {"level-statistics": {"realizations": realizations}},
        "sampling": {"replicas": replicas},
    }


def draw(trees: Trees) -> Drawn:
    """Draw <r> over W for each range and size, and tabulate the growth of W at one <r>."""
    ds = {
        (alpha, N): trees[label_of(alpha, N)]["level-statistics"].to_dataset().load()
        for alpha in WINDOWS
        for N in SIZES
    }
    rows = tuple(_row(alpha, [ds[alpha, N] for N in SIZES]) for alpha in WINDOWS)
    caption = (
        f"Disorder W at which <r> = {LEVEL} in the middle third of the spectrum of N spins on a "
        "ring, alpha = beta, t = V = 1, signs at random, Sz = 0. Resonance counting has W_c ~ "
        "N^(2 - alpha), Eq. (65) at T ~ W; Tikhonov and Mirlin, arXiv:1803.04285, have another "
        "factor ln N, which is taken out in the last column. What agrees: the shorter the range, "
        "the slower W grows, and hardly at all where alpha = 2.5 leaves no network. What does not "
        "follow from such sizes: the exponents themselves. From alpha = 1 to 1.5 they differ by "
        "no more than their errors; ln N changes by 0.18, the logarithm takes 0.4 off the "
        "exponent, and at <r> = 0.44 or 0.48 it is another by 0.1 to 0.4. Curves of two sizes meet "
        "even at alpha = 2.5: no crossing is read as a transition."
    )
    return Drawn(caption, _figure(ds), rows)


def disorder_at(ds: xr.Dataset, level: float = LEVEL) -> Estimate:
    """Return the disorder at which <r> crosses a level, from a parabola in ln W."""
    found = crosses(np.log(ds.W.values), ds.r.values, ds.r_stderr.values, level)
    W = float(np.exp(found.value))
    return Estimate(W, W * found.stderr)


def _row(alpha: float, by_size: list[xr.Dataset]) -> dict[str, str]:
    W = [disorder_at(ds) for ds in by_size]
    bare, refined = (growth_exponent(list(SIZES), W, power)[0] for power in (0.0, 1.0))
    return {
        "alpha": f"{alpha:g}",
        **{f"W, N = {N}": w.rounded for N, w in zip(SIZES, W, strict=True)},
        "exponent": bare.rounded,
        "theory": f"{by_size[0].W_c_exponent.item():g}",
        "exponent without ln N": refined.rounded,
    }


def _figure(ds: dict[tuple[float, int], xr.Dataset]) -> go.Figure:
    figure = go.Figure()
    for (alpha, N), here in ds.items():
        figure.add_scatter(
            x=here.W.values,
            y=here.r.values,
            error_y={"array": here.r_stderr.values},
            name=f"alpha = {alpha:g}, N = {N}",
            line={
                "color": PALETTE[list(WINDOWS).index(alpha)],
                "dash": DASHES[list(SIZES).index(N)],
            },
        )
    for level, name in ((GOE, "GOE"), (LEVEL, f"{LEVEL:g}"), (POISSON, "Poisson")):
        figure.add_hline(y=level, line={"color": "grey", "dash": "dot"}, annotation_text=name)
    return figure.update_layout(
        title="Level statistics of spins on a ring, alpha = beta",
        xaxis={"title": "W / t", "type": "log"},
        yaxis_title="mean ratio of spacings <r>",
        template="plotly_white",
    )


reproductions = (
    Reproduction(
        name="level-growth",
        title="Growth of the critical disorder with the number of spins",
        source="Gutman et al. (2016), Eq. (65), and Tikhonov and Mirlin (2018)",
        requests={label_of(alpha, N): request_of(alpha, N) for alpha in WINDOWS for N in SIZES},
        draw=draw,
    ),
)
