"""Which providers of text messages are out of order, with the code they give: no money left, a wrong key, silence."""

from collections.abc import Iterable

from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.providers.routing import Line
from hub.core.checks import Finding, Level


def examine(provider: SmsProvider) -> Iterable[Finding]:
    """Say how the providers do that really send; of simulated phones there is nothing to say."""
    real = [line for line in provider.routes.lines if not line.gateway.caps.simulated]
    if not real:
        return
    sending = [line for line in real if not line.out]
    if not sending:
        codes = ", ".join(f"{each.name} {each.out}" for each in real)
        yield Finding("check_sms_nobody", Level.BAD, {"codes": codes}, in_part=True)
        return
    yield from (found for line in real if (found := _of(line)))
    if all(not line.troubled for line in sending):
        yield Finding("check_sms", Level.GOOD, {"names": ", ".join(line.name for line in sending)})


def _of(line: Line) -> Finding | None:
    if line.out:
        return Finding("check_sms_out", Level.LOOK, {"name": line.name, "code": line.out})
    if line.troubled:
        return Finding("check_sms_resting", Level.LOOK, {"name": line.name, "code": line.trouble})
    return None
