"""Requests written in Python as one would write loops: ``Sweep.grid(d=[2, 3], T=..., W=1)``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from delocal.service.errors import Problem, RequestError
from delocal.service.request import SweepRequest

PARAMETERS = ("models", "axes", "cases", "fixed")
FIELDS = tuple(name for name in SweepRequest.model_fields if name not in PARAMETERS)
"""What keeps its meaning in a request, beside the parameters."""


class Sweep:
    """Makes a `SweepRequest` from parameters by name."""

    @staticmethod
    def grid(*models: str, **parameters: Any) -> SweepRequest:
        """Return the request for every combination, as `itertools.product` has them.

        Parameters
        ----------
        *models
            Names of the models; ``scaling`` if there is none.
        **parameters
            Each by its name: several values (a list, an array, a range, any iterable) are an axis,
            one number is fixed, the name of another axis follows that axis value by value
            (``beta="alpha"``), and a mapping is an axis as in a request
            (``T={"geomspace": [1e-6, 1e-2, 41]}``). Fields of the request keep their meaning:
            ``name``, ``tags``, ``exclude``, ``options``, ``sampling``, ``refine``, ``seed``,
            ``priority``.

        Raises
        ------
        RequestError
            With everything that is wrong, as `SweepRequest.parse`.

        Examples
        --------
        >>> request = Sweep.grid("scaling", d=[2, 3], alpha=[3, 3.5], beta="alpha", W=1,
        ...                      T=np.geomspace(1e-6, 1e-2, 41), name="dipoles")
        >>> request.plan().cells
        164
        """
        return _request(models, {}, parameters)

    @staticmethod
    def cases(
        *models: str, cases: Iterable[Mapping[str, float]], **parameters: Any
    ) -> SweepRequest:
        """Return the request for the points that are listed, times every combination of the rest.

        Parameters
        ----------
        *models
            Names of the models; ``scaling`` if there is none.
        cases
            Points, each with the same parameters: mappings, or the rows of a table by
            ``frame.to_dict("records")``. They lie along a dimension ``case``.
        **parameters
            Further parameters and fields, as in `grid`.

        Raises
        ------
        RequestError
            With everything that is wrong, as `SweepRequest.parse`.

        Examples
        --------
        >>> dipoles = [{"d": 2, "alpha": 3, "beta": 3}, {"d": 3, "alpha": 3, "beta": 3}]
        >>> Sweep.cases(cases=dipoles, T=[1e-3, 1e-2], W=1).plan().cells
        4
        """
        return _request(models, {"cases": [dict(case) for case in cases]}, parameters)


def _request(
    models: Sequence[str], content: Mapping[str, Any], parameters: Mapping[str, Any]
) -> SweepRequest:
    given = {name: _plain(name, v) for name, v in parameters.items() if name not in FIELDS}
    axes = {name: value for name, value in given.items() if isinstance(value, list | dict)}
    return SweepRequest.parse(
        {
            **content,
            **{name: parameters[name] for name in FIELDS if name in parameters},
            "models": list(models) or ["scaling"],
            "axes": axes,
            "fixed": {name: value for name, value in given.items() if name not in axes},
        }
    )


def _plain(name: str, value: Any) -> Any:
    """Return an axis as a list or mapping, and one number as it is."""
    if isinstance(value, str):
        return {"like": value}
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "__array__"):  # of numpy, xarray or pandas
        array = np.asarray(value)
        if array.ndim > 1:
            message = f"{array.ndim} dimensions; an axis has one, and points are listed by `cases`"
            raise RequestError([Problem(f"axes.{name}", message)])
        return array.tolist()
    return list(value) if isinstance(value, Iterable) else value
