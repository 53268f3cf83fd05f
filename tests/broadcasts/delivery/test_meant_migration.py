"""Broadcasts stored as meant for fewer than no loudspeakers are set right from the deliveries that were frozen."""

from alembic import command
from alembic.config import Config as AlembicConfig
from builders import BRIDGE, NORTH
from conftest import BOTH_DATABASES, SetClock
from deliverylab import Air
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import func, select

from broadcasts.delivery.models import Broadcast
from broadcasts.loudspeaker.models import SpeakerDelivery
from hub.core.db import Base
from hub.core.migrating import SCRIPTS
from hub.core.runtime import Runtime


@BOTH_DATABASES
def test_the_number_of_loudspeakers_meant_is_counted_anew_where_it_was_wrong(
    app: OpenAPI, runtime: Runtime, clock: SetClock
) -> None:
    air = Air(runtime, clock)
    whole, village, texts, right = (
        air.release(NORTH),
        air.release(BRIDGE),
        air.release(NORTH, ms=0, sms=True),
        air.release(NORTH),
    )
    wrong = {whole: -1, village: -3, texts: -1, right: 7}
    with runtime.sessions.begin() as session:
        before = {key: session.get_one(Broadcast, key).speakers_meant for key in wrong}
        for key, number in wrong.items():
            session.get_one(Broadcast, key).speakers_meant = number
    with runtime.sessions.engine.begin() as connection:
        config = AlembicConfig()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes |= {"connection": connection, "metadata": Base.metadata}
        command.stamp(config, "0031")
        command.downgrade(config, "0030")
        command.upgrade(config, "0031")
    with runtime.sessions.read() as session:
        found = {key: session.get_one(Broadcast, key).speakers_meant for key in wrong}
        listed = select(func.count()).where(SpeakerDelivery.broadcast_id == village)
        assert found[village] == (session.scalar(listed) or 0) > 0
    assert found == {**before, right: 7}, "what was not below zero stays"
    assert found[whole] > found[village] > found[texts] == 0
