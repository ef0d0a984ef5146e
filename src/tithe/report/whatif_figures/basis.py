"""What a projection stands on: what is taken for granted, and how well calls are known."""

from tithe.report.page import Figure
from tithe.report.whatif import fits_told, sharing_told
from tithe.whatif import Projection

ASSUMPTIONS, FITS = "assumptions", "fits"


def assumptions_figure(found: Projection) -> Figure:
    """A sentence each."""
    return _words(ASSUMPTIONS, "Taken for granted", found.assumptions)


def fits_figure(found: Projection) -> Figure:
    """The fitted times, what they are of, and by how much they are off; nothing is drawn."""
    told = (*fits_told(found.fits), *(sharing_told(found) if found.sharing else ()))
    return _words(
        FITS, "How well calls are known", told or ("No call is fitted: their times are those described.",)
    )


def _words(anchor: str, title: str, told: tuple[str, ...]) -> Figure:
    return Figure(anchor=anchor, title=title, panels=(), reading="", caption=told, formulas=(), tables=())
