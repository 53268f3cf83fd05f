"""All pages of this floor, put on the application and into the menu."""

from flask import Flask

from hub.core.runtime import Runtime


def install_pages(app: Flask, runtime: Runtime) -> None:
    """Register blueprints and menu lines."""
