"""``ds.delocal``: fits, comparisons, errors, tables and citations, from any dataset of a sweep.

`import delocal` registers it with xarray, for datasets and for trees of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import xarray as xr

from delocal.service import citations, comparison, estimates, fits, provenance
from delocal.service.errors import SelectionError, did_you_mean
from delocal.workers.sampling import REPLICA

if TYPE_CHECKING:
    import pandas

    from delocal.service.figures import Plots


@xr.register_dataset_accessor("delocal")  # type: ignore[no-untyped-call]
class DatasetAccessor:
    """What can be asked of the dataset of one model, as ``ds.delocal``."""

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def fit(
        self,
        variable: str,
        over: str,
        *,
        correction: str | Sequence[str] = (),
        window: fits.Window = None,
    ) -> xr.Dataset:
        """Fit a power of `over` to a variable, in every cell of the other axes.

        The same as :func:`delocal.service.fits.fit`, which says what comes back.
        """
        return fits.fit(self._ds, variable, over, correction=correction, window=window)

    def compare(self, measured: str, theory: str) -> xr.Dataset:
        """Return two variables of this dataset side by side, such as ``R1`` and ``R1_exact``.

        The same as :func:`delocal.service.comparison.compare`, which says what comes back.
        """
        return comparison.compare(self._ds, measured, self._ds, theory)

    def collapse(
        self,
        variable: str,
        over: str,
        *,
        x: comparison.Powers | None = None,
        y: comparison.Powers | None = None,
        centre: float = 0.0,
    ) -> xr.Dataset:
        """Return the points of a collapse plot, with both axes scaled by powers of parameters.

        The same as :func:`delocal.service.comparison.collapse`, which says what comes back.
        """
        return comparison.collapse(self._ds, variable, over, x=x, y=y, centre=centre)

    def with_errors(self, *names: str) -> xr.Dataset:
        """Return estimates as numbers that carry their errors through any arithmetic.

        The same as :func:`delocal.service.estimates.with_errors`.
        """
        return estimates.with_errors(self._ds, *names)

    def without_errors(self) -> xr.Dataset:
        """Return numbers with errors as pairs ``X``, ``X_stderr``: the way back."""
        return estimates.without_errors(self._ds)

    def select_done(self, *, drop: bool = False) -> xr.Dataset:
        """Return the dataset with NaN in every cell that is not done.

        The same as :func:`delocal.service.estimates.select_done`.
        """
        return estimates.select_done(self._ds, drop=drop)

    def to_dataframe(self, variables: Sequence[str] | None = None) -> pandas.DataFrame:
        """Return a long table with one row for each cell, flags by name.

        The same as :func:`delocal.service.dataframe.to_dataframe`.
        """
        from delocal.service.dataframe import to_dataframe  # pandas, of the extra `export`

        return to_dataframe(self._ds, variables)

    @cached_property
    def plot(self) -> Plots:
        """The figures of this dataset: ``ds.delocal.plot.kappa()`` and further."""
        from delocal.service.figures import Plots  # plotly takes its time

        return Plots(self._ds)

    def cite(self) -> str:
        """Return what to cite, as BibTeX: the papers of the theory, and this program."""
        return citations.bibtex([self._ds])

    def provenance(self) -> dict[str, Any]:
        """Return request, seed, options and versions as recorded, as Python objects."""
        return provenance.recorded(self._ds)


@xr.register_datatree_accessor("delocal")  # type: ignore[no-untyped-call]
class TreeAccessor:
    """What can be asked of a whole sweep, as ``tree.delocal``."""

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    def fit(
        self,
        variable: str,
        over: str,
        *,
        correction: str | Sequence[str] = (),
        window: fits.Window = None,
    ) -> xr.Dataset:
        """Fit a power of `over` to a variable, ``model/variable`` where several models have it.

        The same as :func:`delocal.service.fits.fit`, which says what comes back.
        """
        ds, name = self._find(variable)
        return fits.fit(ds, name, over, correction=correction, window=window)

    def compare(self, measured: str, theory: str | None = None) -> xr.Dataset:
        """Return a variable as Monte Carlo and as theory have it, side by side.

        Parameters
        ----------
        measured, theory
            ``model/variable``, or the name alone: then the one model of the sweep that estimates it
            is compared with the one that has it exactly.

        Returns
        -------
        xarray.Dataset
            What :func:`delocal.service.comparison.compare` returns.

        Raises
        ------
        SelectionError
            No such model or variable, or several: then the names to choose from.
        """
        ours = self._find(measured, estimated=True)
        theirs = self._find(theory or measured.rpartition("/")[2], estimated=False)
        return comparison.compare(*ours, *theirs)

    @cached_property
    def plot(self) -> Plots:
        """The figures of this sweep: ``tree.delocal.plot.kappa()`` and further."""
        from delocal.service.figures import Plots  # plotly takes its time

        return Plots(self._tree)

    def cite(self) -> str:
        """Return what to cite, as BibTeX: the papers of all theories, and this program."""
        return citations.bibtex(self._datasets().values())

    def provenance(self) -> dict[str, dict[str, Any]]:
        """Return for each group request, seed, options and versions as recorded."""
        return {name: provenance.recorded(ds) for name, ds in self._datasets().items()}

    def select_done(self, *, drop: bool = False) -> xr.DataTree:
        """Return the tree with NaN in every cell that is not done."""
        done = {n: estimates.select_done(ds, drop=drop) for n, ds in self._datasets().items()}
        return xr.DataTree.from_dict({f"/{name}": ds for name, ds in done.items()})

    def _datasets(self) -> dict[str, xr.Dataset]:
        """Return the datasets by the path of their group; that of a leaf is empty."""
        root = self._tree.path.rstrip("/")
        return {
            node.path.removeprefix(root).strip("/"): node.to_dataset()
            for node in self._tree.subtree
            if node.data_vars
        }

    def _find(self, name: str, estimated: bool | None = None) -> tuple[xr.Dataset, str]:
        """Return the dataset that has a variable, and the variable's own name.

        A name without a model is looked for everywhere, or only among what is `estimated`, or not.
        """
        model, _, variable = name.rpartition("/")
        found = [
            (group, known)
            for group, ds in self._datasets().items()
            for known in map(str, ds.data_vars)
            if (group == model if model else REPLICA not in ds.dims)
            and (model or estimated is None or (f"{known}_stderr" in ds) == estimated)
        ]
        having = [group for group, known in found if known == variable]
        if len(having) == 1:
            return self._datasets()[having[0]], variable
        if having:
            paths = ", ".join(f"{group}/{variable}" for group in having)
            raise SelectionError(f"several models have {variable}, say which: {paths}")
        kind = {None: "", True: " as an estimate", False: " exactly"}[estimated]
        known_paths = [f"{group}/{known}".strip("/") for group, known in found]
        raise SelectionError(f"no model has {name}{kind}; {did_you_mean(name, known_paths)}")
