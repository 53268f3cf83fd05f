"""Find the configured gateway among the installed ones; only that one is imported."""

import difflib
from importlib.metadata import entry_points

from broadcasts.sms.gateways.gateway import GatewayContext, GatewayError, SmsGateway

GROUP = "cunxiang.sms_gateways"


def names() -> list[str]:
    """Return the names of all installed gateways."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def find_gateway(context: GatewayContext) -> SmsGateway:
    """Open the gateway that `[sms] gateway` names. GatewayError when there is none of that name."""
    wanted = context.settings.gateway
    found = [point for point in entry_points(group=GROUP) if point.name == wanted]
    if not found:
        close = difflib.get_close_matches(wanted, names(), n=1)
        hint = f" Did you mean '{close[0]}'?" if close else f" Installed: {', '.join(names()) or 'none'}."
        raise GatewayError(f"[sms] gateway: no gateway named '{wanted}'.{hint}")
    gateway: SmsGateway = found[0].load()(context)
    return gateway
