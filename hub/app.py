"""Build the application from its configuration and the features it is given."""

import logging
from collections.abc import Sequence
from pathlib import Path

from flask_openapi3.openapi import OpenAPI
from werkzeug.middleware.proxy_fix import ProxyFix

from hub.accounts import api as account_api
from hub.accounts import delegation_views, duty_views, own_views, passkey_views, staff_api, staff_views
from hub.accounts import service as accounts
from hub.accounts import views as account_pages
from hub.accounts.identity import IDENTITY
from hub.accounts.keys import key_store
from hub.accounts.passkeys import Challenges
from hub.accounts.second import Vault
from hub.accounts.sessions import SESSION_LENGTH
from hub.accounts.throttle import Marks
from hub.audit import api as audit_api
from hub.audit import views as audit_pages
from hub.audit.places import PlaceNames
from hub.core.bell import Bell
from hub.core.checks import Checks
from hub.core.clock import Clock, utc_now
from hub.core.config import Config, HubSettings
from hub.core.db import Base, Sessions, make_engine
from hub.core.feature import Feature
from hub.core.gauges import Gauges
from hub.core.keeping import Keeping
from hub.core.migrating import upgrade
from hub.core.notify import Pulse
from hub.core.roles import WHOLE, Duties
from hub.core.runtime import KEY, Runtime
from hub.core.secrets import Secrets, load_or_create
from hub.core.turns import Turns
from hub.duty import api as watch_api
from hub.duty import roster_api
from hub.duty import shift_views as shift_pages
from hub.duty import views as duty_pages
from hub.duty.shift import ShiftSources
from hub.first_run import counting as first_counts
from hub.first_run import views as first_pages
from hub.first_run.steps import FirstSteps
from hub.regions import api as region_api
from hub.regions import import_api as region_list_api
from hub.regions import import_views as region_lists
from hub.regions import service as regions
from hub.regions import views as region_pages
from hub.regions.facts import LoudspeakerCounts
from hub.residents import api as resident_api
from hub.residents import import_api as resident_list_api
from hub.residents import views as resident_pages
from hub.residents.looks import Looks
from hub.speakers import api as speaker_api
from hub.speakers import registry
from hub.speakers import views as speaker_pages
from hub.speakers.care import api as care_api
from hub.speakers.care import repair_api
from hub.speakers.care import views as care_pages
from hub.speakers.joining import api as joining_api
from hub.speakers.joining import views as joining_pages
from hub.speakers.ledger import views as ledger_pages
from hub.speakers.numbers import add_gauges
from hub.watching import views as watching_pages
from hub.watching.certificates import PublicCertificate, certificate_days
from hub.watching.metrics import Metrics
from hub.watching.processes import Troubles, running
from hub.watching.questions import add_questions
from hub.web import api, ending, errors, guards, i18n, openapi, requests, shell
from hub.web.ending import Ending
from hub.web.idempotency import KeyStore
from hub.web.limits import JoinsPerMinute
from hub.web.menu import Menu
from hub.web.uploads import Uploads
from hub.web.work import Identity
from hub.webhooks import views as webhook_pages
from hub.webhooks.secrets import SecretSafe

log = logging.getLogger(__name__)
VERSION = "0.1.0"
TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
ROOMS = (
    account_pages,
    own_views,
    passkey_views,
    duty_views,
    staff_views,
    delegation_views,
    region_pages,
    region_lists,
    resident_pages,
    duty_pages,
    shift_pages,
    speaker_pages,
    care_pages,
    ledger_pages,
    joining_pages,
    audit_pages,
    watching_pages,
    webhook_pages,
    first_pages,
)
VERBS = (
    account_api.open_bp,
    account_api.bp,
    staff_api.bp,
    region_api.bp,
    region_list_api.bp,
    speaker_api.bp,
    care_api.bp,
    repair_api.bp,
    joining_api.bp,
    resident_api.bp,
    resident_list_api.bp,
    watch_api.bp,
    roster_api.bp,
    audit_api.bp,
)
LARGEST_REQUEST = 6 * 1024 * 1024


class RefusedToStart(Exception):
    """The hub will not run like this; the message says why and what to do."""


def open_runtime(config: Config, *, clock: Clock = utc_now, duties: Duties = WHOLE) -> Runtime:
    """Open secrets and database, bring the tables up to date, and refuse what must not run in production."""
    secrets = load_or_create(config.data_dir, "demo" if _demo(config) else "production")
    engine = make_engine(config.database_url)
    upgrade(engine, Base.metadata)
    runtime = Runtime(config=config, secrets=secrets, sessions=Sessions(engine), clock=clock, duties=duties)
    if not _demo(config):
        _refuse_demo_in_production(runtime, secrets)
    return runtime


def provide(runtime: Runtime, features: Sequence[Feature]) -> None:
    """Give a runtime the services of every room."""
    runtime.provide(Menu, Menu())
    runtime.provide(Ending, Ending())
    runtime.provide(Identity, IDENTITY)
    runtime.provide(KeyStore, key_store(runtime.secrets))
    runtime.provide(Vault, Vault(runtime.secrets))
    runtime.provide(Challenges, Challenges(runtime.secrets))
    runtime.provide(Marks, Marks(runtime.secrets))
    api.provide_limits(runtime)
    runtime.provide(JoinsPerMinute, JoinsPerMinute(joining_pages.JOINS_PER_MINUTE))
    runtime.provide(Uploads, Uploads(runtime.config.data_dir / "uploads"))
    add_questions(runtime.provide(Checks, Checks()))
    add_gauges(runtime.provide(Gauges, Gauges()))
    runtime.provide(PublicCertificate, PublicCertificate(runtime))
    for gauge in (running(runtime.clock), certificate_days(runtime)):
        runtime.get(Gauges).add(gauge)
    runtime.provide(Keeping, Keeping()).after_restore(registry.go_on_after)
    # Rooms further down are told what they cannot look up themselves.
    runtime.provide(PlaceNames, PlaceNames(regions.names))
    runtime.provide(LoudspeakerCounts, LoudspeakerCounts(registry.totals_by_region))
    runtime.provide(Metrics, Metrics(runtime))
    runtime.provide(Pulse, Pulse())
    runtime.provide(Troubles, Troubles())
    duties = runtime.duties
    runtime.provide(Bell, Bell(runtime.sessions.engine, active=not duties.whole))
    runtime.provide(Turns, Turns(runtime.sessions.engine, duties.turns, shared=not duties.whole))
    runtime.provide(ShiftSources, ShiftSources())
    runtime.provide(Looks, Looks())
    runtime.provide(SecretSafe, SecretSafe(runtime.secrets))
    first_counts.add_steps(runtime.provide(FirstSteps, FirstSteps()))
    for feature in features:
        feature.provide(runtime)


def build(runtime: Runtime, features: Sequence[Feature]) -> OpenAPI:
    """Return the application; nothing is started and no port opened."""
    provide(runtime, features)
    return build_pages(runtime, features)


def build_pages(runtime: Runtime, features: Sequence[Feature]) -> OpenAPI:
    """Return the application over services that are provided already."""
    app = OpenAPI(
        "hub",
        root_path=str(Path(__file__).parent),
        static_folder=str(shell.STATIC),
        template_folder=str(TEMPLATES),
        **openapi.described(VERSION),
    )
    app.extensions[KEY] = runtime
    app.config.update(
        SECRET_KEY=runtime.secrets.session_key,
        SESSION_COOKIE_NAME="cunxiang_form",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=runtime.settings.public_url.startswith("https://"),
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
        WTF_CSRF_TIME_LIMIT=int(SESSION_LENGTH.total_seconds()),
        WTF_CSRF_SSL_STRICT=False,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    proxies = runtime.settings.trusted_proxies
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]
    i18n.install(app)
    requests.install(app)
    ending.install(app)
    guards.install(app)
    watching_pages.observe(app, runtime)
    errors.install(app)
    shell.install(app)
    first_pages.install(app)
    api.install(app)
    app.register_blueprint(openapi.bp)
    for verbs in VERBS:
        api.register(app, verbs)
    for room in ROOMS:
        app.register_blueprint(room.bp)
        room.add_to_menu(runtime)
    for feature in features:
        feature.plug_in(app, runtime)
    return app


def _demo(config: Config) -> bool:
    return config.section(HubSettings).mode == "demo"


def _refuse_demo_in_production(runtime: Runtime, secrets: Secrets) -> None:
    with runtime.sessions.read() as session:
        logins = accounts.active_demo_logins(session)
    if logins:
        raise RefusedToStart(
            f"This database holds demo accounts whose passwords everybody knows: {', '.join(logins)}. "
            "Switch them off with 'cunxiang user disable LOGIN', or use another data_dir."
        )
