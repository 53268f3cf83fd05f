"""Find the configured gateways among the installed ones; only those are imported."""

import difflib
from collections.abc import Callable
from dataclasses import replace

from broadcasts.sms.gateway import GatewayContext, GatewayError, SmsGateway
from hub.core.plugins import offered

GROUP = "cunxiang.sms_gateways"


def names() -> list[str]:
    """Return the names of all installed gateways."""
    return sorted({point.name for point in offered(GROUP)})


def find_gateways(context: GatewayContext, token_of: Callable[[str], str]) -> dict[str, SmsGateway]:
    """Open the gateways that `[sms] gateways` names. GatewayError when one cannot be."""
    wanted = [name for rank in context.settings.ranks for name, _ in rank]
    return {name: open_named(name, replace(context, hook_token=token_of(name))) for name in wanted}


def open_named(wanted: str, context: GatewayContext) -> SmsGateway:
    """Open one gateway. GatewayError when there is none of that name, or its settings do not do."""
    found = [point for point in offered(GROUP) if point.name == wanted]
    if not found:
        close = difflib.get_close_matches(wanted, names(), n=1)
        hint = f" Did you mean '{close[0]}'?" if close else f" Installed: {', '.join(names()) or 'none'}."
        raise GatewayError(f"[sms] gateways: no gateway named '{wanted}'.{hint}")
    gateway: SmsGateway = found[0].load()(context)
    return gateway
