"""The papers that the models are from, as data: what a reader of results has to cite."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A paper, a preprint or a program.

    Parameters
    ----------
    key
        Name of the entry, such as ``Gutman2016``.
    title, authors, year
        As printed, with what BibTeX needs for accents.
    journal, volume, pages, doi, eprint
        Empty where there is none; `eprint` is the number of arXiv.
    note
        What else a reader must know, such as a version.
    """

    key: str
    title: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    journal: str = ""
    volume: str = ""
    pages: str = ""
    doi: str = ""
    eprint: str = ""
    note: str = ""

    @property
    def bibtex(self) -> str:
        r"""The entry of a BibTeX file.

        Examples
        --------
        >>> print(Paper("Anderson1958", "Absence of Diffusion", ("P. W. Anderson",), 1958).bibtex)
        @misc{Anderson1958,
          author = {P. W. Anderson},
          title = {{Absence of Diffusion}},
          year = {1958}
        }
        """
        content = {
            "author": " and ".join(self.authors),
            "title": f"{{{self.title}}}",  # braces keep the capitals of names
            "journal": self.journal,
            "volume": self.volume,
            "pages": self.pages,
            "year": str(self.year or ""),
            "doi": self.doi,
            "eprint": self.eprint,
            "archivePrefix": "arXiv" if self.eprint else "",
            "note": self.note,
        }
        lines = [f"  {name} = {{{value}}}" for name, value in content.items() if value]
        kind = "article" if self.journal else "misc"
        return f"@{kind}{{{self.key},\n" + ",\n".join(lines) + "\n}"


_BASKO = ("D. M. Basko", "I. L. Aleiner", "B. L. Altshuler")

GUTMAN = Paper(
    "Gutman2016",
    "Energy transport in the Anderson insulator",
    (
        "D. B. Gutman",
        "I. V. Protopopov",
        "A. L. Burin",
        "I. V. Gornyi",
        "R. A. Santos",
        "A. D. Mirlin",
    ),
    2016,
    "Phys. Rev. B",
    "93",
    "245427",
    "10.1103/PhysRevB.93.245427",
    "1512.06705",
)
BASKO = Paper(
    "Basko2006",
    "Metal-insulator transition in a weakly interacting many-electron system with localized "
    "single-particle states",
    _BASKO,
    2006,
    "Ann. Phys.",
    "321",
    "1126--1205",
    "10.1016/j.aop.2005.11.014",
    "cond-mat/0506617",
)
BASKO_REVIEW = Paper(
    "Basko2006review",
    "On the problem of many-body localization",
    _BASKO,
    2006,
    eprint="cond-mat/0602510",
)
GORNYI = Paper(
    "Gornyi2017",
    "Absence of many-body localization in a continuum",
    ("I. V. Gornyi", "A. D. Mirlin", r"M. M{\"u}ller", "D. G. Polyakov"),
    2017,
    "Ann. Phys. (Berlin)",
    "529",
    "1600365",
    "10.1002/andp.201600365",
    "1611.05895",
)
GOPALAKRISHNAN = Paper(
    "Gopalakrishnan2014",
    "Mean-field theory of nearly many-body localized metals",
    ("S. Gopalakrishnan", "R. Nandkishore"),
    2014,
    "Phys. Rev. B",
    "90",
    "224203",
    "10.1103/PhysRevB.90.224203",
    "1405.1036",
)
ABOU_CHACRA = Paper(
    "AbouChacra1973",
    "A selfconsistent theory of localization",
    ("R. Abou-Chacra", "D. J. Thouless", "P. W. Anderson"),
    1973,
    "J. Phys. C",
    "6",
    "1734--1752",
    "10.1088/0022-3719/6/10/009",
)
AMBEGAOKAR = Paper(
    "Ambegaokar1971",
    "Hopping Conductivity in Disordered Systems",
    ("V. Ambegaokar", "B. I. Halperin", "J. S. Langer"),
    1971,
    "Phys. Rev. B",
    "4",
    "2612--2620",
    "10.1103/PhysRevB.4.2612",
)
