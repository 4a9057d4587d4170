"""The scaling theory of resonant networks, Gutman et al. (2016), as a sweepable model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics import phase_diagram
from delocal.physics.channels import CHANNELS, Channel, dominant_channel
from delocal.physics.channels import dominant_channel_asymptotic as asymptotic
from delocal.physics.model import STATUS, Arrays, Model, Status, Variable
from delocal.physics.papers import GUTMAN
from delocal.physics.parameters import (
    RANGES,
    SCALED_BY,
    SPIN_PARAMETERS,
    SpinModel,
    power_laws,
    spin_model,
)
from delocal.physics.phase_diagram import Region, belongs
from delocal.physics.powers import Array, LogArray, PowerLaw
from delocal.physics.quantities import QUANTITIES, ScalingQuantity

PAPER = "Gutman et al. (2016)"
WHERE = {quantity.where for quantity in QUANTITIES.values()}


@dataclass(frozen=True)
class Points:
    """The cells of one call: model, size of the sample and, by (d, alpha, beta) only, regions."""

    model: SpinModel[LogArray]
    L: LogArray | None
    regions: NDArray[np.int8]

    @classmethod
    def of(cls, parameters: Arrays) -> Points:
        """Read the arrays of a request."""
        p = spin_model(**{name: parameters[name] for name in (*RANGES, *SCALED_BY)})
        L = LogArray.of(parameters["L"]) if "L" in parameters else None
        return cls(p, L, phase_diagram.region(p.d, p.alpha, p.beta))

    @property
    def quantities(self) -> list[ScalingQuantity]:
        """The quantities that exist for the parameters given."""
        return [q for q in QUANTITIES.values() if self.L is not None or not q.of_length]

    def model_in(self, kinds: frozenset[Region]) -> SpinModel[LogArray]:
        """Return the model with NaN, which spreads, where the region is none of the `kinds`."""
        outside = np.where(belongs(self.regions, kinds), 0.0, np.nan)
        p = self.model
        return replace(p, alpha=p.alpha + outside, beta=p.beta + outside)


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return every variable of the scaling theory on parameters that broadcast."""
    with np.errstate(all="ignore"):  # extreme parameters give 0 and inf, and NaN means absent
        points = Points.of(parameters)
        logs = _logarithms(points)
        powers = _exponents(points)
        return {
            **_classification(points, powers),
            **_flags(points, logs),
            **{name: value.value for name, value in logs.items()},
            **{f"log10_{name}": value.log10 for name, value in logs.items()},
            **powers,
        }


def _logarithms(points: Points) -> dict[str, LogArray]:
    """Return each quantity: NaN where its network is absent, 0 where it vanishes in MBL."""
    models = {where: points.model_in(where) for where in WHERE}
    logs = {q.name: q.at(models[q.where], points.L) for q in points.quantities}
    localized = points.regions == Region.MBL
    if localized.any():
        for name in (q.name for q in points.quantities if q.vanishes_when_localized):
            logs[name] = LogArray(np.where(localized, -np.inf, logs[name].ln))
    return logs


def _exponents(points: Points) -> dict[str, Array]:
    """Return the exponents of each quantity, those in `SCALED_BY` along the last dimension."""
    models = {where: points.model_in(where) for where in WHERE}
    laws = {where: power_laws(p.d, p.alpha, p.beta) for where, p in models.items()}
    L, exponents = PowerLaw.variable("L", 1.0), {}
    for q in points.quantities:
        absent = models[q.where].alpha * 0  # an exponent 0, or NaN outside
        of = q.at(laws[q.where], L).of
        powers = [absent + of.get(letter, 0.0) for letter in SCALED_BY]
        exponents[f"{q.name}_exponent"] = np.stack(powers, axis=-1)
        if q.of_length:
            exponents[f"{q.name}_exponent_L"] = absent + of["L"]
    return exponents


def _classification(points: Points, powers: Mapping[str, Array]) -> dict[str, NDArray[Any]]:
    """Return what depends on (d, alpha, beta) alone."""
    d, alpha, beta = points.model.d, points.model.alpha, points.model.beta
    regions = points.regions
    kappas = {channel: powers[f"kappa_{channel.name}_exponent"] for channel in CHANNELS}
    conducting = belongs(regions, phase_diagram.CONDUCTING)
    in_domain = belongs(regions, phase_diagram.IN_DOMAIN)
    flags = {
        "status": np.where(in_domain, Status.DONE, Status.OUTSIDE_DOMAIN),
        "region": regions,
        "superdiffusive": phase_diagram.superdiffusive(d, beta),
        "infrared_convergent": phase_diagram.infrared_convergent(d, alpha, beta),
        "dominant_channel_asymptotic": asymptotic(d, alpha, beta, regions, kappas),
        "dominance_unresolved": regions == Region.IIc,
    }
    z = np.where(conducting, phase_diagram.dynamical_exponent(d, beta), np.nan)
    return {"z": z, **{name: np.asarray(flag, dtype=np.int8) for name, flag in flags.items()}}


def _flags(points: Points, logs: Mapping[str, LogArray]) -> dict[str, NDArray[Any]]:
    """Return the flags that depend on all parameters."""
    p = points.model
    kappas = {channel: logs[f"kappa_{channel.name}"] for channel in CHANNELS}
    hopping = p.t * p.rho ** (p.alpha / p.d)
    valid = belongs(points.regions, phase_diagram.IN_DOMAIN)
    valid = valid & (p.T.ln < p.W.ln) & (hopping.ln < p.W.ln)
    for size in ("R1", "R2"):  # NaN, a network that does not exist, asks for nothing
        valid = valid & ~(logs[size].ln <= logs[f"{size}_th"].ln)
    return {
        "dominant_channel": dominant_channel(kappas),
        "regime_valid": np.asarray(valid, dtype=np.int8),
    }


def _variables_of(q: ScalingQuantity) -> Iterator[Variable]:
    """Yield X, log10_X, X_exponent and, for a threshold, X_exponent_L."""
    needs, equation = "L" if q.of_length else None, f"{PAPER}, Eq. {q.equation}"
    number = Variable(q.name, q.long_name, q.units, equation, needs=needs, comment=q.comment)
    yield number
    yield number.log10
    power = replace(
        number,
        name=f"{q.name}_exponent",
        long_name=f"exponents of the {q.long_name}",
        units="1",
        depends=RANGES,
        dims=("wrt",),
    )
    yield power
    if q.of_length:
        yield replace(
            power,
            name=f"{q.name}_exponent_L",
            long_name=f"exponent of L of the {q.long_name}",
            dims=(),
        )


CONDITION = "the condition alone; of consequence where a network exists"
DECIDED = f"{PAPER}, Sec. IX and S-B, decided anew from the channels"
CLASSES = (
    Variable.flag(
        "region", "region of the phase diagram", f"{PAPER}, Fig. 3", Region, depends=RANGES
    ),
    Variable.flag(
        "superdiffusive",
        "whether tails of the interaction make kappa infinite, beta <= 1 + d/2",
        f"{PAPER}, Eq. (48)",
        depends=RANGES,
        comment=CONDITION,
    ),
    Variable("z", "dynamical exponent of r ~ time**(1/z)", "1", f"{PAPER}, below Eq. (48)", RANGES),
    Variable.flag(
        "infrared_convergent",
        "whether large pseudo-spins carry a finite kappa",
        f"{PAPER}, Eq. (45)",
        depends=RANGES,
        comment=CONDITION,
    ),
    Variable.flag(
        "dominant_channel",
        "channel with the largest thermal conductivity",
        DECIDED,
        Channel,
        comment="of the values kappa_*; see dominance_unresolved",
    ),
    Variable.flag(
        "dominant_channel_asymptotic",
        "channel with the largest thermal conductivity as T -> 0",
        DECIDED,
        Channel,
        depends=RANGES,
        comment="smallest exact exponent of T, then largest of W; see dominance_unresolved",
    ),
    Variable.flag(
        "dominance_unresolved",
        "whether the paper leaves open which channel dominates",
        f"{PAPER}, Sec. VII",
        depends=RANGES,
        comment="region IIc: a mixed mechanism, not evaluated, may dominate near III",
    ),
    Variable.flag(
        "regime_valid",
        "whether the assumptions of the theory hold",
        f"{PAPER}, Eqs. (5), (41), (50)",
        comment="T < W, t rho**(alpha/d) < W, and optimal sizes above thermal ones",
    ),
)

model = Model(
    name="scaling",
    version="1",
    kind="closed-form",
    title="Scaling theory of resonant networks in the power-law spin model",
    reference="D. B. Gutman et al., Energy transport in the Anderson insulator (2016)",
    papers=(GUTMAN,),
    parameters=SPIN_PARAMETERS,
    variables=(
        STATUS,
        *CLASSES,
        *(variable for quantity in QUANTITIES.values() for variable in _variables_of(quantity)),
    ),
    evaluate=evaluate,
    coordinates={"wrt": SCALED_BY},
    seconds_per_cell=1e-6,
)
