"""What a restored hub must not send again."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from broadcasts.sms.models import SmsMessage, SmsRun, SmsSubmission
from broadcasts.sms.states import IN_HAND, MessageState, RunState, SubmissionState
from hub.core.keeping import Moment


def after_restore(session: Session, moment: Moment) -> int:
    """Call everything unknown that was in hand when the backup was made: it may have gone since.

    So routine is not sent twice by itself, and the page offers to send again; an emergency that is still valid is
    looked up at its provider as after any lost answer. A run whose people were not listed yet is called off.
    """
    messages = (
        update(SmsMessage)
        .where(SmsMessage.state.in_(IN_HAND))
        .values(state=MessageState.UNKNOWN, may_have_gone=True, changed_at=moment.restored_at)
    )
    open_calls = (SubmissionState.LEASED, SubmissionState.SUBMITTING)
    calls = (
        update(SmsSubmission)
        .where(SmsSubmission.state.in_(open_calls))
        .values(state=SubmissionState.UNKNOWN, settled_at=moment.restored_at, cause="restored")
    )
    runs = (
        update(SmsRun)
        .where(SmsRun.state == RunState.EXPANDING)
        .values(state=RunState.CANCELLED, done_at=moment.restored_at)
    )
    return sum(session.execute(change).rowcount for change in (messages, calls, runs))  # type: ignore[attr-defined]
