"""What each figure needs of a dataset: which of its variables and axes can be drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import xarray as xr

from delocal.physics.models import load_models
from delocal.service.figures.exponents import EXPONENT, WRT
from delocal.service.figures.offers import Offer, axes_of
from delocal.service.figures.values import flags_of
from delocal.workers.sampling import REPLICA

Need = Callable[[str, xr.Dataset], Offer | None]
"""Takes the name of a model and a dataset of it; None if that has nothing to give."""
KAPPA = r"kappa(_(?!ratio$|inf$)\w+)?"
COMPANION = re.compile(r"log10_\w+|\w+_(stderr|exponent|exponent_L)")
SPIN_MODEL = ("d", "alpha", "beta", "t", "V")
PARTNERS = {"R2": r"N2(_exact)?", "R3": r"N3(_exact)?", "R": r"N1(_exact)?"}
"""Numbers of resonant partners, by the distance that they are over."""


def _offer(
    model: str, ds: xr.Dataset, names: Iterable[str], first: str | None = None
) -> Offer | None:
    """Offer variables over all their axes, the `first` axis before others; None without any."""
    variables = tuple(names)
    axes = sorted(axes_of(ds, variables), key=lambda axis: axis != first)
    return Offer(model, ds, variables, tuple(axes)) if variables and axes else None


def plane(model: str, ds: xr.Dataset) -> Offer | None:
    """Offer (alpha, beta) of the spin model; others call something else by these letters."""
    if not {*SPIN_MODEL, "status"} <= set(ds.variables) or REPLICA in ds.dims:
        return None
    return Offer(model, ds, ("status",), axes_of(ds, ["status"]))


def matching(pattern: str, over: str, *, also: bool = False) -> Need:
    """Return what offers variables of a name over one axis, and `also` over others without it."""

    def offer(model: str, ds: xr.Dataset) -> Offer | None:
        names = (name for name in _numbers(ds) if re.fullmatch(pattern, name))
        found = _offer(model, ds, names, over)
        return found if found and (also or over in found.axes) else None

    return offer


def partners(model: str, ds: xr.Dataset) -> Offer | None:
    """Offer the numbers of resonant partners over their distance."""
    offers = (matching(pattern, over)(model, ds) for over, pattern in PARTNERS.items())
    return next((offer for offer in offers if offer), None)


def anything(model: str, ds: xr.Dataset) -> Offer | None:
    """Offer every number that varies."""
    return _offer(model, ds, _best_first(model, ds, _numbers(ds)))


def over_two_axes(model: str, ds: xr.Dataset) -> Offer | None:
    """Offer every variable that varies along two axes."""
    names = (str(name) for name in ds.data_vars if not str(name).startswith("log10_"))
    wide = [name for name in names if sum(size > 1 for size in ds[name].shape) > 1]
    return None if REPLICA in ds.dims else _offer(model, ds, _best_first(model, ds, wide))


def exponents(model: str, ds: xr.Dataset) -> Offer | None:
    """Offer every X of which there is an X_exponent that varies along two axes."""
    names = [name for name in ds.data_vars if str(name).endswith(EXPONENT) and WRT in ds[name].dims]
    wide = [str(name) for name in names if sum(size > 1 for size in ds[name].shape) > 2]
    axes = tuple(axis for axis in axes_of(ds, wide) if axis != WRT)
    variables = [name.removesuffix(EXPONENT) for name in wide]
    return Offer(model, ds, _best_first(model, ds, variables), axes) if wide else None


def replicas(model: str, ds: xr.Dataset) -> Offer | None:
    """Offer every estimate of the single replicas of a Monte Carlo model."""
    if REPLICA not in ds.dims:
        return None
    names = [name for name in ds.data_vars if REPLICA in ds[name].dims and name != "status"]
    variables = _best_first(model, ds, map(str, names))
    axes = tuple(axis for axis in axes_of(ds, variables) if axis != REPLICA)
    return Offer(model, ds, variables, axes)


def scaled(model: str, ds: xr.Dataset) -> Offer | None:
    """Offer the points of a collapse."""
    if not ("x" in ds.data_vars and "y" in ds.data_vars and "along" in ds["x"].attrs):
        return None
    return Offer(model, ds, ("y",), axes_of(ds, ["y"]))


def _numbers(ds: xr.Dataset) -> list[str]:
    """Return the variables that vary and are neither flags nor companions of others."""
    if REPLICA in ds.dims:
        return []
    return [
        str(name)
        for name, array in ds.data_vars.items()
        if max(array.shape, default=1) > 1
        and not flags_of(array)
        and not COMPANION.fullmatch(str(name))
    ]


def _best_first(model: str, ds: xr.Dataset, names: Iterable[str]) -> tuple[str, ...]:
    """Return names in the order in which they are offered: what a model is for before the rest."""
    known = load_models().get(model)
    target = known.target if known else ""

    def rank(name: str) -> tuple[bool, ...]:
        number = name in ds and not flags_of(ds[name])
        return name != target, not re.fullmatch(KAPPA, name), f"log10_{name}" not in ds, not number

    return tuple(sorted(names, key=rank))
