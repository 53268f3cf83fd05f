"""Open the configured providers of text messages."""

from broadcasts.sms.gateway import GatewayContext
from broadcasts.sms.gateways.finding import find_gateways
from broadcasts.sms.gateways.sections import SECTIONS
from broadcasts.sms.providers.filed_texts import FiledTexts
from broadcasts.sms.providers.provider import SmsProvider, hook_token
from broadcasts.sms.providers.routing import routes_of
from broadcasts.sms.settings import SmsSettings
from hub.core.runtime import Runtime
from hub.residents.phones import PhoneSafe


def open_provider(runtime: Runtime) -> SmsProvider:
    """Return them, each opened with its own table of the configuration. Raises GatewayError."""
    settings = runtime.config.section(SmsSettings)
    filed = FiledTexts(runtime.sessions)
    context = GatewayContext(
        settings=settings,
        sessions=runtime.sessions,
        safe=runtime.find(PhoneSafe) or PhoneSafe(runtime.secrets),
        clock=runtime.clock,
        base_url=runtime.base_url,
        sections={kind: runtime.config.section(kind) for kind in SECTIONS},
        filed=filed.of,
    )
    tokens = {name: hook_token(runtime.secrets, name) for rank in settings.ranks for name, _ in rank}
    gateways = find_gateways(context, tokens.__getitem__)
    return SmsProvider(routes_of(gateways, settings.ranks, settings.calls_at_once), tokens, filed)
