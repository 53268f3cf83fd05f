"""What can go wrong by the rules of the house, each with a code that the templates turn into words."""

from typing import ClassVar


class HubError(Exception):
    """A broken rule.

    `code` names the sentence in `templates/errors/words.toml`; `params` fill its blanks. The exception itself holds no
    sentence, so that it can be shown in the reader's language.
    """

    status: ClassVar[int] = 400

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params = params

    def __str__(self) -> str:
        """Return code and parameters, for logs and tests; never put a secret or a phone number into `params`."""
        return self.code + ("".join(f" {k}={v}" for k, v in self.params.items()))


class BadInput(HubError):
    """Something that was typed or sent is wrong. `field` names the input it belongs to, where there is one."""

    status = 422

    def __init__(self, code: str, *, field: str = "", **params: object) -> None:
        super().__init__(code, **params)
        self.field = field


class NotSignedIn(HubError):
    """Nobody is known behind this request."""

    status = 401


class NotAllowed(HubError):
    """This person may not do this, here."""

    status = 403


class NotFound(HubError):
    """There is no such thing, or it lies outside the person's region: the two look the same on purpose."""

    status = 404


class WrongState(HubError):
    """It has gone too far, or not far enough, for this."""

    status = 409


class TooMany(HubError):
    """A limit was reached; trying later helps."""

    status = 429


class Unavailable(HubError):
    """Something the hub depends on did not work, and nothing was changed."""

    status = 503


class Problems(BadInput):
    """Several inputs are wrong at once; each is a BadInput of its own."""

    def __init__(self, problems: list[BadInput]) -> None:
        super().__init__("several_problems", count=len(problems))
        self.problems = tuple(problems)
