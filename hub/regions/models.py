"""The region tree as a table."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.core.db import Base, StateText
from hub.regions.tree import Level


class Region(Base):
    """One county, township, village or group. `path` holds the codes from the top down, each closed by a slash."""

    __tablename__ = "region"
    __table_args__ = (Index(None, "parent_code", "position"),)

    code: Mapped[str] = mapped_column(String(14), primary_key=True)
    parent_code: Mapped[str | None] = mapped_column(String(14), ForeignKey("region.code"))
    level: Mapped[Level] = mapped_column(StateText(Level))
    name: Mapped[str] = mapped_column(String(60))
    path: Mapped[str] = mapped_column(String(64), unique=True)
    position: Mapped[int] = mapped_column(default=0)
    outline: Mapped[str] = mapped_column(String(2000), default="")
    """Points of the map outline as SVG polygon points, in a 1000 by 700 box of the county; empty: not on the map."""


class RegionShape(Base):
    """What a region covers on the earth (WGS 84), to find who lies in the area of a warning."""

    __tablename__ = "region_shape"

    code: Mapped[str] = mapped_column(String(14), ForeignKey(Region.code), primary_key=True)
    geometry: Mapped[dict[str, Any]]
    """GeoJSON: a Polygon, a MultiPolygon, or a Point where only the middle of the place is known."""
    by_name: Mapped[str] = mapped_column(String(60), default="")
    at: Mapped[datetime]
