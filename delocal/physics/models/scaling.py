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
from delocal.physics.model import STATUS, Arrays, Model, Parameter, Status, Variable
from delocal.physics.parameters import SCALED_BY, SpinModel, power_laws
from delocal.physics.phase_diagram import Region, belongs
from delocal.physics.powers import Array, LogArray, PowerLaw
from delocal.physics.quantities import QUANTITIES, ScalingQuantity

PAPER = "Gutman et al. (2016)"
RANGES = ("d", "alpha", "beta")


@dataclass(frozen=True)
class Points:
    """The cells of one call: their parameters and, of (d, alpha, beta) only, their regions."""

    d: Array
    alpha: Array
    beta: Array
    regions: NDArray[np.int8]
    T: LogArray
    W: LogArray
    t: LogArray
    V: LogArray
    rho: LogArray
    L: LogArray | None

    @classmethod
    def of(cls, parameters: Arrays) -> Points:
        """Read the arrays of a request."""
        d, alpha, beta = (np.asarray(parameters[name], dtype=np.float64) for name in RANGES)
        logs = {name: LogArray.of(parameters[name]) for name in SCALED_BY}
        L = LogArray.of(parameters["L"]) if "L" in parameters else None
        return cls(d, alpha, beta, phase_diagram.region(d, alpha, beta), L=L, **logs)

    @property
    def quantities(self) -> list[ScalingQuantity]:
        """The quantities that exist for the parameters given."""
        return [q for q in QUANTITIES.values() if self.L is not None or not q.of_length]

    def ranges_in(self, kinds: frozenset[Region]) -> tuple[Array, Array, Array]:
        """Return (d, alpha, beta), with NaN, which spreads, where the region is none of `kinds`."""
        outside = np.where(belongs(self.regions, kinds), 0.0, np.nan)
        return self.d, self.alpha + outside, self.beta + outside


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return every variable of the scaling theory on parameters that broadcast."""
    with np.errstate(all="ignore"):
        points = Points.of(parameters)
        logs = _logarithms(points)
        powers = _exponents(points)
        return {
            **_classification(points, powers),
            **_flags(points, logs),
            **{name: value.value for name, value in logs.items()},
            **{f"log10_{name}": value.log10 for name, value in logs.items()},
            **{f"{name}_exponent": power for name, power in powers.items()},
            **_length_exponents(points),
        }


def _logarithms(points: Points) -> dict[str, LogArray]:
    """Return each quantity, NaN where its network does not exist; 0 if it vanishes in MBL."""
    p = points
    models = {
        where: SpinModel(*p.ranges_in(where), p.T, p.W, p.t, p.V, p.rho)
        for where in {quantity.where for quantity in QUANTITIES.values()}
    }
    logs = {q.name: q.at(models[q.where], p.L) for q in p.quantities}
    localized = p.regions == Region.MBL
    if localized.any():
        for name in (q.name for q in p.quantities if q.vanishes_when_localized):
            logs[name] = LogArray(np.where(localized, -np.inf, logs[name].ln))
    return logs


def _exponents(points: Points) -> dict[str, Array]:
    """Return the exponents of each quantity in `SCALED_BY`, along the last dimension."""
    return {q.name: np.stack(list(_of(q, points, SCALED_BY)), axis=-1) for q in points.quantities}


def _length_exponents(points: Points) -> dict[str, Array]:
    """Return the exponents of L of the thresholds."""
    return {
        f"{q.name}_exponent_L": next(_of(q, points, ("L",)))
        for q in points.quantities
        if q.of_length
    }


def _of(quantity: ScalingQuantity, points: Points, letters: tuple[str, ...]) -> Iterator[Array]:
    d, alpha, beta = points.ranges_in(quantity.where)
    laws = quantity.at(power_laws(d, alpha, beta), PowerLaw.variable("L", 1.0)).of
    absent = alpha - alpha  # 0, or NaN outside
    return (absent + laws.get(letter, 0.0) for letter in letters)


def _classification(points: Points, powers: Mapping[str, Array]) -> dict[str, NDArray[Any]]:
    """Return what depends on (d, alpha, beta) alone."""
    p = points
    kappas = {channel: powers[f"kappa_{channel.name}"] for channel in CHANNELS}
    conducting = belongs(p.regions, phase_diagram.CONDUCTING)
    in_domain = belongs(p.regions, phase_diagram.IN_DOMAIN)
    z = np.where(conducting, phase_diagram.dynamical_exponent(p.d, p.beta), np.nan)
    return {
        "status": np.where(in_domain, Status.DONE, Status.OUTSIDE_DOMAIN).astype(np.int8),
        "region": p.regions,
        "superdiffusive": phase_diagram.superdiffusive(p.d, p.beta).astype(np.int8),
        "z": z,
        "infrared_convergent": phase_diagram.infrared_convergent(p.d, p.alpha, p.beta).astype(
            np.int8
        ),
        "dominant_channel_asymptotic": asymptotic(p.d, p.alpha, p.beta, p.regions, kappas),
        "dominance_unresolved": np.asarray(p.regions == Region.IIc, dtype=np.int8),
    }


def _flags(points: Points, logs: Mapping[str, LogArray]) -> dict[str, NDArray[Any]]:
    """Return the flags that depend on all parameters."""
    p = points
    kappas = {channel: logs[f"kappa_{channel.name}"] for channel in CHANNELS}
    weak_hopping = p.t * p.rho ** (p.alpha / p.d)
    valid = belongs(p.regions, phase_diagram.IN_DOMAIN) & (p.T.ln < p.W.ln)
    valid = valid & (weak_hopping.ln < p.W.ln)
    for size in ("R1", "R2"):  # NaN, a network that does not exist, asks for nothing
        valid = valid & ~(logs[size].ln <= logs[f"{size}_th"].ln)
    return {
        "dominant_channel": dominant_channel(kappas),
        "regime_valid": np.asarray(valid, np.int8),
    }


def _variables() -> Iterator[Variable]:
    yield STATUS
    yield from _flag_variables()
    for quantity in QUANTITIES.values():
        yield from _variables_of(quantity)


def _variables_of(q: ScalingQuantity) -> Iterator[Variable]:
    """Yield X, log10_X, X_exponent and, for a threshold, X_exponent_L."""
    needs, equation = "L" if q.of_length else None, f"{PAPER}, Eq. {q.equation}"
    number = Variable(q.name, q.long_name, q.units, equation, needs=needs, comment=q.comment)
    yield number
    yield replace(
        number,
        name=f"log10_{q.name}",
        long_name=f"decimal logarithm of the {q.long_name}",
        units="1" if q.units == "1" else f"lg({q.units})",
    )
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


def _flag_variables() -> tuple[Variable, ...]:
    regions = {region.name: int(region) for region in Region}
    channels = {channel.name: int(channel) for channel in Channel}
    no_yes = {"no": 0, "yes": 1}
    return (
        Variable(
            "region",
            "region of the phase diagram",
            equation=f"{PAPER}, Fig. 3",
            depends=RANGES,
            dtype="int8",
            flags=regions,
        ),
        Variable(
            "superdiffusive",
            "whether tails of the interaction make kappa infinite",
            equation=f"{PAPER}, Eq. (48)",
            depends=RANGES,
            dtype="int8",
            flags=no_yes,
            comment="beta <= 1 + d/2, wherever it is; of consequence where a network exists",
        ),
        Variable(
            "z",
            "dynamical exponent of r ~ time**(1/z)",
            equation=f"{PAPER}, below Eq. (48)",
            depends=RANGES,
        ),
        Variable(
            "infrared_convergent",
            "whether large pseudo-spins carry a finite kappa",
            equation=f"{PAPER}, Eq. (45)",
            depends=RANGES,
            dtype="int8",
            flags=no_yes,
            comment="condition (45), wherever it is; of consequence where a network exists",
        ),
        Variable(
            "dominant_channel",
            "channel with the largest thermal conductivity",
            dtype="int8",
            flags=channels,
            comment="of the values kappa_*; see dominance_unresolved",
        ),
        Variable(
            "dominant_channel_asymptotic",
            "channel with the largest thermal conductivity as T -> 0",
            depends=RANGES,
            dtype="int8",
            flags=channels,
            comment="smallest exact exponent of T, then largest of W; see dominance_unresolved",
        ),
        Variable(
            "dominance_unresolved",
            "whether the paper leaves open which channel dominates",
            equation=f"{PAPER}, Sec. VII",
            depends=RANGES,
            dtype="int8",
            flags=no_yes,
            comment="region IIc: a mixed mechanism, not evaluated, may dominate near III",
        ),
        Variable(
            "regime_valid",
            "whether the assumptions of the theory hold",
            equation=f"{PAPER}, Eqs. (5), (41), (50)",
            dtype="int8",
            flags=no_yes,
            comment="T < W, t rho**(alpha/d) < W, optimal sizes above thermal ones",
        ),
    )


def _positive(name: str, long_name: str, units: str, **more: Any) -> Parameter:
    return Parameter(name, long_name, units, minimum=0, open_bounds=True, **more)


model = Model(
    name="scaling",
    version="1",
    kind="closed-form",
    title="Scaling theory of resonant networks in the power-law spin model",
    reference="D. B. Gutman et al., Energy transport in the Anderson insulator (2016)",
    parameters=(
        Parameter("d", "dimension of space", "1", minimum=1, maximum=3, integer=True),
        _positive("alpha", "range of the hopping", "1"),
        _positive("beta", "range of the interaction", "1"),
        _positive("T", "temperature", "energy"),
        _positive("W", "disorder", "energy"),
        _positive("t", "hopping", "energy length**alpha", default=0.02),
        _positive("V", "interaction", "energy length**beta", default=0.02),
        _positive("rho", "density of spins", "length**(-d)", default=1.0),
        _positive("L", "size of the sample", "length", optional=True),
    ),
    variables=tuple(_variables()),
    evaluate=evaluate,
    coordinates={"wrt": SCALED_BY},
    seconds_per_cell=1e-6,
)
