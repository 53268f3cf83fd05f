"""Which villages have a page for everybody, and under which address."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.core.db import Base
from hub.regions.models import Region


class VillagePage(Base):
    """The page of one village. A village without a row has none; a closed one answers as if it had never been."""

    __tablename__ = "village_page"

    region_code: Mapped[str] = mapped_column(String(14), ForeignKey(Region.code), primary_key=True)
    region_path: Mapped[str] = mapped_column(String(64))
    token: Mapped[str] = mapped_column(String(24), unique=True)
    """The end of the address. It stands on paper in the village, so it is no secret; it only cannot be guessed."""
    open: Mapped[bool] = mapped_column(default=True)
    made_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    changed_by_name: Mapped[str] = mapped_column(String(60))
