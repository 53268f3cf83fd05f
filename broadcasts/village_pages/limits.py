"""How often one address may come to villages' pages. A whole town may share an address, so looking is cheap."""

from hub.web.limits import PerMinute


class VillagePagesPerMinute(PerMinute):
    """How many pages one address may open."""


class VillageFormsPerMinute(PerMinute):
    """How many forms one address may send."""
