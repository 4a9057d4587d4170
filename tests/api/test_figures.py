"""Figures over REST: what a sweep can give, Plotly JSON, and errors that say what to do."""

SWEEP = {
    "models": ["scaling"],
    "axes": {"T": {"geomspace": [1e-6, 1e-2, 5]}, "W": {"linspace": [1, 10, 10]}},
    "fixed": {"d": 2, "alpha": 3, "beta": 3},
}
