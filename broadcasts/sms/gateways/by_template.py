"""What providers have in common that only carry templates they have approved: one POST with a code and the blanks."""

from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import urlsplit

from broadcasts.sms.gateway import (
    Caps,
    Found,
    GatewayContext,
    Objection,
    Refusal,
    Refused,
    Submission,
    SubmitResult,
    WebhookRequest,
)
from broadcasts.sms.gateways import content
from broadcasts.sms.gateways.calling import Answer, Caller
from broadcasts.sms.gateways.filed import FiledTemplate, Fit, fit, no_template, read_templates, spelled, unsigned
from broadcasts.sms.gateways.pushed import same_token
from broadcasts.sms.gateways.sections import AliyunSettings, TencentSettings

LONGEST = 500
"""Characters, signature included."""


class TemplateGateway:
    """One approved template with its blanks filled, to many numbers in a call.

    Templates are those of the configuration and those the hub keeps as approved by this provider.
    """

    name: ClassVar[str]
    caps: ClassVar[Caps]
    topics: ClassVar[Sequence[str]]
    """Words that are refused in review."""
    strict: ClassVar[bool]
    """Whether signs, mobile numbers and words for opting out are refused too."""

    def __init__(self, context: GatewayContext, own: AliyunSettings | TencentSettings) -> None:
        self.sign_name = own.sign_name or context.settings.signature
        self.host = urlsplit(own.endpoint).netloc
        self.clock = context.clock
        self._endpoint = f"{own.endpoint}/"
        self._configured, self._kept = read_templates(own.templates), context.filed
        self._caller, self._token = Caller(context.settings), context.hook_token

    def check(self, text: str) -> Sequence[Objection]:
        """Look for a filed template; without one also say which words are refused in review."""
        missing = no_template(text, self._templates)
        if not missing:
            return content.too_long(text, LONGEST)
        found = content.objections(text, topics=self.topics, strict=self.strict)
        return [*missing, *content.too_long(text, LONGEST), *found]

    def submit(self, submission: Submission) -> SubmitResult:
        """Post one call, once."""
        fitting = fit(unsigned(submission.text)[1], self._templates)
        if fitting is None:
            return Refused(Refusal.REJECTED, "no_template")
        body, headers = self.request(submission, fitting)
        answer = self._caller.post(self._endpoint, body, headers)
        return self.read(answer, submission) if isinstance(answer, Answer) else answer

    def request(self, submission: Submission, fitting: Fit) -> tuple[bytes, Mapping[str, str]]:
        """Return the body of the call and its headers, signed."""
        raise NotImplementedError

    def read(self, answer: Answer, submission: Submission) -> SubmitResult:
        """Return what an answer says."""
        raise NotImplementedError

    def query(self, submission: Submission) -> Found | None:
        """These answer for one number at a time: too slow to look into a call, reports come by themselves."""
        return None

    def verify(self, request: WebhookRequest) -> bool:
        """These sign nothing; what they have is the unguessable address."""
        return same_token(self._token, request)

    @property
    def _templates(self) -> Sequence[FiledTemplate]:
        kept = (FiledTemplate(code, spelled(text, self.caps.blank)) for code, text in self._kept(self.name))
        return (*self._configured, *kept)
