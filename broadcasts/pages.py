"""All pages of this floor, put on the application and into the menu."""

from flask import Flask

from broadcasts.alerts import views as alerts
from broadcasts.announcements import views as announcements
from broadcasts.delivery import views as delivery
from broadcasts.sms import views as sms
from hub.core.runtime import Runtime

ROOMS = (delivery, announcements, alerts, sms)


def install_pages(app: Flask, runtime: Runtime) -> None:
    """Register blueprints and menu lines."""
    for room in ROOMS:
        app.register_blueprint(room.bp)
        room.add_to_menu(runtime)
