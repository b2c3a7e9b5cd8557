"""A shop with forty jobs, two weeks of runs, and a present with all kinds of trouble: for pictures and browser tests.

``fill(now)`` gives the same rows for the same time, so pictures change only when pages do.
"""

from tests.support.shop.fill import fill

__all__ = ["fill"]
