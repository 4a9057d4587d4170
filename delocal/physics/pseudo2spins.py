"""Pseudo2-spins: pairs of pseudo-spins in resonance, which again are two-level systems.

Gutman et al. (2016), Sec. VIII. Pseudo-spins are of the thermal size R1_th, Eq. (15), and two of
them at a distance R2 <= r < 2 R2 with ``|E_a - E_b| < u = V / r**beta`` split by
``sqrt((E_a - E_b)**2 + 4 u**2)``. Where R2 >> R2*(R1_th) the energies E are as good as uniform
on the scale of u. A pseudo2-spin then has the law of a pseudo-spin whose constituents hop with
``V / r**beta``, and couples with the same power law: `equivalent` is that ensemble, and every
exact law and sampler of pseudo-spins serves pseudo2-spins as well.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from delocal.physics.counting import pseudospin_density
from delocal.physics.disorder import Ensemble
from delocal.physics.networks import Links, distance, no_links, power_law_pairs
from delocal.physics.pseudospins import PseudoSpins, sample_dilute, two_level_systems
from delocal.physics.splittings import splittings

MOST_PSEUDOSPINS = 2e7
WIDE = 1e9  # the band of the equivalent ensemble over the smallest coupling in use


def thermal_size(ensemble: Ensemble) -> float:
    """Return R1_th = (t / T)**(1 / alpha), where a pseudo-spin splits by T, Eq. (15)."""
    return float((ensemble.t / ensemble.T) ** (1 / ensemble.alpha))


def equivalent(ensemble: Ensemble, R1: float | None = None) -> Ensemble:
    """Return the ensemble whose pseudo-spins are the pseudo2-spins of `ensemble`.

    Its pseudo-spins of size R2 have the density, the sizes and the splittings of pseudo2-spins of
    size R2, and couple like them: its N2 is N3. Its density follows from

        rho_p2s = rho_ps**2 / 2  S_d int_R2^2R2 dr r**(d-1) 2 V / r**beta  int dE f(E)**2

    with f the law of the splittings of pseudo-spins, Eq. (12) with its prefactor.

    Parameters
    ----------
    ensemble
        Fixed hopping.
    R1
        Size of the pseudo-spins; R1_th by default.

    Notes
    -----
    Holds for sizes R2 >> R2*(R1), and where pseudo2-spins rarely share a pseudo-spin: N2 << 1.

    Examples
    --------
    >>> from delocal.physics.splittings import resonant_pseudospins
    >>> p = Ensemble(d=2, alpha=5, beta=3, T=1e-3, W=1, t=0.02, V=0.02)
    >>> R2 = 100 * p.interaction_radius(thermal_size(p))
    >>> partners = resonant_pseudospins(p, thermal_size(p), R2)
    >>> pairs = pseudospin_density(p, thermal_size(p)) / 2 * partners
    >>> round(float(pseudospin_density(equivalent(p), R2) / pairs), 3)
    1.0
    """
    R1 = thermal_size(ensemble) if R1 is None else R1
    band = WIDE * ensemble.pseudospin_energy(R1)
    squared = splittings(ensemble, R1).coincidence / ensemble.pseudospin_energy(R1)
    density = float(pseudospin_density(ensemble, R1))
    return Ensemble(
        ensemble.d,
        ensemble.beta,
        ensemble.beta,
        T=band / 2,
        W=band,
        t=ensemble.V,
        V=ensemble.V,
        rho=density * np.sqrt(band * squared),
    )


def sample_pairs(ensemble: Ensemble, R2: float, box: float, rng: Generator) -> PseudoSpins:
    """Return the pseudo2-spins of R2 <= size < 2 R2 found among dilute pseudo-spins of size R1_th.

    Nothing is assumed of R2, and pseudo2-spins share pseudo-spins as they do.

    Raises
    ------
    ValueError
        If that takes more than 2e7 pseudo-spins.
    """
    R1 = thermal_size(ensemble)
    number = float(pseudospin_density(ensemble, R1)) * box**ensemble.d
    if number > MOST_PSEUDOSPINS:
        raise ValueError(
            f"a box of {box:g} holds {number:.2g} pseudo-spins, more than {MOST_PSEUDOSPINS:.0e}; "
            "take a smaller box, a higher temperature, or pseudo2-spins as they come"
        )
    pseudospins = sample_dilute(ensemble, R1, box, rng)
    if len(pseudospins) < 2:
        return pseudospins
    a, b = power_law_pairs(pseudospins, ensemble.V, ensemble.beta, R2, 2 * R2)
    u = ensemble.V * distance(pseudospins, a, b) ** -ensemble.beta
    return two_level_systems(pseudospins.midpoint, pseudospins.splitting, box, a, b, u)


def pseudo2spin_network(
    pseudo2spins: PseudoSpins, ensemble: Ensemble, *, disjoint: bool = True
) -> Links:
    """Return the links between pseudo2-spins: splittings closer than V / r**beta, Eq. (13).

    Parameters
    ----------
    disjoint
        Leave out links between pseudo2-spins that share a pseudo-spin.
    """
    if len(pseudo2spins) < 2:
        return no_links()
    a, b = power_law_pairs(pseudo2spins, ensemble.V, ensemble.beta, 0.0, pseudo2spins.box / 2)
    if disjoint:
        of_a, of_b = pseudo2spins.spins[a], pseudo2spins.spins[b]
        apart = (of_a[:, :, None] != of_b[:, None, :]).all(axis=(1, 2))
        a, b = a[apart], b[apart]
    return Links(a, b, ensemble.V * distance(pseudo2spins, a, b) ** -ensemble.beta)
