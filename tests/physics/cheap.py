"""A cheap cell of every Monte Carlo model: its parameters and options."""

SPINS = {"d": 2, "alpha": 3, "beta": 3, "T": 1, "W": 20, "t": 1, "V": 1}
CHEAP = {
    "resonances": ({"d": 2, "alpha": 3, "T": 1, "W": 20, "t": 1}, {"spins": 10_000}),
    "network": (SPINS, {"box": 16}),
    "pseudo2-network": (SPINS | {"d": 1, "alpha": 3, "beta": 1.7, "W": 2}, {"box": 16}),
    "percolation": ({"d": 2, "alpha": 3, "beta": 3, "density": 0.15, "box": 16}, {}),
    "spectral-diffusion": ({"d": 3, "alpha": 3, "beta": 3, "W": 1, "duration": 6, "box": 4}, {}),
    "scba-grains": ({"T": 4, "lam": 0.1}, {}),
    "scba-tree": ({"T": 40, "lam": 2e-3, "M": 5}, {"pool": 1000, "generations": 20}),
    "scba-bonds": ({"u": 1, "d": 2, "L": 8}, {}),
    "bethe-pool": ({"K": 2, "N": 200}, {}),
    "mott-percolation": ({"d": 2, "box": 8}, {}),
    "level-statistics": ({"N": 8, "alpha": 1.5, "beta": 1.5, "W": 6}, {"realizations": 4}),
    "optimal-network": ({"d": 2, "N2": 3, "L": 6}, {"realizations": 4}),
    "golden-rule-network": (SPINS | {"nodes": 500, "rmax": 1.5}, {}),
    "golden-rule-strip": (SPINS | {"W": 0.8, "T": 0.34, "rmax": 1, "box": 4}, {}),
}


def request_of(name, replicas):
    """Return a sweep of the cheap cell of a model."""
    fixed, options = CHEAP[name]
    return {
        "models": [name],
        "fixed": dict(fixed),
        "options": {name: options} if options else {},
        "sampling": {"replicas": replicas},
    }
