"""What a feature package offers to the hub, which never imports it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import click
from flask import Flask

from hub.core.background import Background
from hub.core.config import Section
from hub.core.runtime import Runtime


def _no_services(runtime: Runtime) -> None:
    """Provide nothing."""


def _no_pages(app: Flask, runtime: Runtime) -> None:
    """Plug in nothing."""


def _no_loops(runtime: Runtime) -> Sequence[Background]:
    return ()


def _no_seed(runtime: Runtime) -> None:
    """Seed nothing."""


@dataclass(frozen=True)
class Feature:
    """A package that plugs itself in.

    `settings`: its configuration sections. `provide`: offer services to the runtime, open nothing. `plug_in`: put pages
    on the application and lines into the menu. `start`: return what runs in the background of a running hub, not yet
    started. `seed_demo`: put demo data into an empty database. `commands`: click commands to add to the command line.
    """

    name: str
    settings: tuple[type[Section], ...] = ()
    provide: Callable[[Runtime], None] = _no_services
    plug_in: Callable[[Flask, Runtime], None] = _no_pages
    start: Callable[[Runtime], Sequence[Background]] = _no_loops
    seed_demo: Callable[[Runtime], None] = _no_seed
    commands: tuple[click.Command, ...] = field(default=())
