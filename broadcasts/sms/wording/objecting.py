"""What stands against a text at each provider, in words, while somebody writes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.segments import cost_fen, parts_of, signed
from broadcasts.sms.settings import SmsSettings
from hub.web.words import sentence


@dataclass(frozen=True, slots=True)
class Objected:
    """One provider's objections. `blocking`: it cannot carry the text at all."""

    gateway: str
    blocking: bool
    sentences: Sequence[str]


def objected(provider: SmsProvider, text: str, settings: SmsSettings, language: str) -> list[Objected]:
    """Return which providers object to a text (without signature), and why; nothing when there is no text."""
    if not text.strip():
        return []
    found = provider.check(signed(text.strip(), settings.signature))
    return [
        Objected(
            one.gateway,
            one.blocking,
            list(dict.fromkeys(sentence(each.code, language, found=each.found) for each in one.objections)),
        )
        for one in found
        if one.objections
    ]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a text costs through one provider; `carries` False: it does not take it at all."""

    gateway: str
    fen: int
    carries: bool


def offers(provider: SmsProvider, text: str, people: int, settings: SmsSettings) -> list[Offer]:
    """Return what each provider would ask for a text to that many people; nothing when there is no choice."""
    if not text.strip() or len(provider.gateways) < 2:
        return []
    whole = signed(text.strip(), settings.signature)
    return [
        Offer(one.gateway, _fen(whole, people, one.gateway, settings), not one.blocking)
        for one in provider.check(whole)
    ]


def _fen(whole: str, people: int, gateway: str, settings: SmsSettings) -> int:
    parts = parts_of(whole, settings.counting_of(gateway)) * people
    return cost_fen(parts, settings.price_of(gateway))


def carried_by_nobody(provider: SmsProvider, text: str, settings: SmsSettings) -> bool:
    """Return whether every provider refuses a text before it is sent."""
    return all(one.blocking for one in provider.check(signed(text.strip(), settings.signature)))
