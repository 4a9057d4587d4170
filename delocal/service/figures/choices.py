"""What a caller chooses of a figure: models, variables, axes, cells, and the theme."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from delocal.service.errors import SelectionError, did_you_mean
from delocal.service.figures.style import STYLES, Style, Theme
from delocal.service.results import Selection, parse_selections


@dataclass(frozen=True)
class Choices:
    """What a caller chose; what is left out, a figure chooses.

    Parameters
    ----------
    model
        The one model to draw.
    variables
        Names, in the order of the legend.
    x, y
        Coordinates.
    sel
        What is taken along coordinates.
    nearest
        Take the nearest value instead of refusing one that is not there.
    theme
        ``light`` or ``dark``.
    """

    model: str | None = None
    variables: tuple[str, ...] = ()
    x: str | None = None
    y: str | None = None
    sel: Mapping[str, Selection] = field(default_factory=dict)
    nearest: bool = False
    theme: Theme = "light"

    @classmethod
    def of(
        cls,
        model: str | None = None,
        variable: str | Sequence[str] | None = None,
        x: str | None = None,
        y: str | None = None,
        sel: Mapping[str, Any] | Iterable[str] = (),
        nearest: bool = False,
        theme: str = "light",
    ) -> Choices:
        """Return choices as callers write them.

        Parameters
        ----------
        variable
            One name, several, or several with commas between them.
        sel
            Values, lists or slices by coordinate; or texts such as ``T=1e-3`` and ``T=1e-6:1e-4``.

        Raises
        ------
        SelectionError
            A text that is no selection, a coordinate given twice, or no such theme.

        Examples
        --------
        >>> Choices.of(variable="kappa_sd,kappa_ps", sel=["T=1e-3"]).sel["T"].values
        (0.001,)
        """
        if theme not in STYLES:
            raise SelectionError(f"no theme {theme!r}; {did_you_mean(theme, STYLES)}")
        named = variable.split(",") if isinstance(variable, str) else (variable or ())
        chosen: Theme = next(known for known in get_args(Theme) if known == theme)
        return cls(model, tuple(named), x, y, _selections(sel), nearest, chosen)

    @property
    def style(self) -> Style:
        """The colours of the theme."""
        return STYLES[self.theme]


def _selections(sel: Mapping[str, Any] | Iterable[str]) -> dict[str, Selection]:
    if isinstance(sel, Mapping):
        return {name: _selection(value) for name, value in sel.items()}
    return parse_selections([sel] if isinstance(sel, str) else list(sel))


def _selection(value: Any) -> Selection:
    if isinstance(value, Selection):
        return value
    if isinstance(value, slice):
        low = -np.inf if value.start is None else value.start
        return Selection(low=low, high=np.inf if value.stop is None else value.stop)
    if isinstance(value, str):
        return Selection.parse(value)
    values = np.asarray(value)
    return Selection(tuple(values.ravel().tolist()), drop=not values.ndim)
