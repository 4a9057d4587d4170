"""The resonant network as the narrow bath of all other spins. OUR OWN COMBINATION of two papers.

Gopalakrishnan and Nandkishore (2014), Sec. III, name systems with power-law interactions as an
example of a narrow bath: a sparse network of resonances among degrees of freedom that are almost
localized. Gutman et al. (2016) say what that network is. Neither paper puts the two together; the
dictionary used here is the simplest one without a free parameter beyond the entropy per spin s:

====================  ========================================================================
bandwidth W of bath   E*, energy of the optimal pseudo-spins, Gutman (24)
coupling gamma        E* = V/Lc**beta, interaction over the spacing Lc of these, Gutman (7), (64)
energy Delta          T, by which neighbouring thermal spins differ
exp(-s/Xi)            eta = (t/r**alpha)/T, amplitude of one flip-flop with the nearest thermal
                      spin, r = (rho T/W)**(-1/d)
hop of a single spin  amplitude (t/R**alpha)/E* in place of exp(-R/xi)
====================  ========================================================================

With the last line, channel (a) of the first paper is identical to the spins assisted by the network
of the second, Eq. (S-A.5). Regions IIb and IIc; E* < T.
"""

from __future__ import annotations

import numpy as np

from delocal.physics.narrow_baths import NarrowBath
from delocal.physics.parameters import SpinModel
from delocal.physics.powers import Array, LogArray
from delocal.physics.scales import optimal_energy


def network_bath(p: SpinModel[LogArray]) -> NarrowBath:
    """Return the optimal network of pseudo-spins as a bath: gamma = W = E*, Delta = T.

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=2, alpha=3, beta=2.5, T=1e-3)
    >>> bath = network_bath(p)
    >>> float((bath.rate / optimal_energy(p)).value.round(12))  # a fitting transition takes 1/E*
    1.0
    """
    return NarrowBath(optimal_energy(p), optimal_energy(p), p.T)


def flip_flop_amplitude(p: SpinModel[LogArray]) -> LogArray:
    """Return eta = (t/r**alpha)/T with r = (rho T/W)**(-1/d), the price of one more spin.

    The small parameter of localization: nearest thermal spins hop by t/r**alpha and differ by T.
    """
    spacing = (p.rho * p.T / p.W) ** (-1 / p.d)
    return p.t / spacing**p.alpha / p.T


def fock_space_length(p: SpinModel[LogArray], s: Array) -> Array:
    """Return Xi = s/ln(1/eta), at which n spins have the amplitude exp(-s n/Xi) = eta**n.

    NaN for eta >= 1, where thermal spins are not localized.
    """
    ln = -flip_flop_amplitude(p).ln
    return np.asarray(s / np.where(ln > 0, ln, np.nan))


def single_hop_rate(p: SpinModel[LogArray]) -> LogArray:
    """Return Gamma_a of a spin that hops to a partner within E*, at R = (W/(rho E*))**(1/d).

    ::

        Gamma_a = gamma**2/W [(t/R**alpha)/E*]**2

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (6), for hops that fall off as a power.

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> from delocal.physics.relaxation import spin_rate
    >>> p = spin_model(d=2, alpha=3, beta=2.5, T=1e-3)
    >>> float((single_hop_rate(p) / spin_rate(p)).value.round(9))  # Gutman et al., Eq. (S-A.5)
    1.0
    """
    bath = network_bath(p)
    R = (p.W / (p.rho * bath.W)) ** (1 / p.d)
    return bath.rate * (p.t / R**p.alpha / bath.W) ** 2
