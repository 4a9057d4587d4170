"""One definition of each figure for notebook, command line and page: plotly, from datasets."""

from delocal.service.figures.catalogue import RECIPES, figure_of, possible
from delocal.service.figures.choices import Choices
from delocal.service.figures.offers import Offer, axes_of, datasets_of
from delocal.service.figures.output import draw, page, save, to_json
from delocal.service.figures.phase_diagram import phase_diagram, region_map
from delocal.service.figures.plots import Plots
from delocal.service.figures.recipe import Recipe
from delocal.service.figures.style import PALETTE, Theme

__all__ = [
    "PALETTE",
    "RECIPES",
    "Choices",
    "Offer",
    "Plots",
    "Recipe",
    "Theme",
    "axes_of",
    "datasets_of",
    "draw",
    "figure_of",
    "page",
    "phase_diagram",
    "possible",
    "region_map",
    "save",
    "to_json",
]
