"""The pages of plans, as a browser sees them."""

from collections.abc import Callable

from builders import NORTH
from flask.testing import FlaskClient
from smslab import lab_context, lab_routes
from sqlalchemy import select

from broadcasts.alerts.hazards import hazards
from broadcasts.alerts.plans.models import Plan, PlanState, PlanVersion
from broadcasts.alerts.plans.starting import usual_words
from broadcasts.alerts.plans.words import TEXTS
from broadcasts.kinds import Colour
from broadcasts.sms.gateways.sections import TencentSettings
from broadcasts.sms.gateways.tencent import TencentGateway
from broadcasts.sms.providers.provider import SmsProvider
from hub.core.runtime import Runtime

SignIn = Callable[[str], FlaskClient]
WORDS = usual_words(hazards()["cold"], Colour.RED)
FORM = {"home": NORTH, "hazard": "cold", "colour": "red", "do": "hand_in"} | {n: getattr(WORDS, n) for n in TEXTS}


def the_plan(runtime: Runtime) -> tuple[Plan, PlanVersion]:
    with runtime.sessions.read() as session:
        row = session.execute(
            select(Plan, PlanVersion)
            .join(PlanVersion, (PlanVersion.plan_id == Plan.id) & (PlanVersion.version == Plan.version))
            .where(Plan.region_code == NORTH)
        ).one()
        return row[0], row[1]


def test_a_clerk_writes_one_an_approver_signs_it_and_the_desk_says_who_signed(
    runtime: Runtime, sign_in: SignIn
) -> None:
    clerk, approver = sign_in("clerk"), sign_in("approver")
    assert "写一条" in clerk.get(f"/plans?home={NORTH}").text
    assert WORDS.speech in clerk.get(f"/plans/edit?home={NORTH}&hazard=cold&colour=red").text
    wrong = clerk.post("/plans", data=FORM | {"speech": "红色预警！快走！"})
    assert wrong.status_code == 422
    assert "“预警”只有发布单位才能发" in wrong.text
    answer = clerk.post("/plans", data=FORM)
    assert answer.status_code == 302
    plan, version = the_plan(runtime)
    assert version.state is PlanState.WAITING
    page = approver.get(answer.location).text
    assert "看过了，签字" in page
    approver.post(f"/plans/{plan.id}/sign", data={"seen": version.content_hash})
    assert the_plan(runtime)[1].first_by_name == "北镇副镇长"
    assert "看过了，签字" not in approver.get(answer.location).text
    approver.post(f"/plans/{plan.id}/sign", data={"seen": version.content_hash})
    assert the_plan(runtime)[1].state is PlanState.WAITING
    approver.post(f"/plans/{plan.id}/send_back", data={"reason": "写短点"})
    assert "退回了：写短点" in clerk.get(answer.location).text


def test_strangers_see_and_change_nothing(runtime: Runtime, sign_in: SignIn) -> None:
    sign_in("clerk").post("/plans", data=FORM)
    plan, version = the_plan(runtime)
    stranger = sign_in("strange_approver")
    assert stranger.get(f"/plans/{plan.id}").status_code == 404
    assert stranger.post(f"/plans/{plan.id}/sign", data={"seen": version.content_hash}).status_code == 404
    assert sign_in("stranger").post("/plans", data=FORM).status_code == 403
    assert the_plan(runtime)[1].first_by is None
    assert "北镇" not in stranger.get(f"/plans?home={NORTH}").text


def test_a_text_no_provider_would_carry_is_said_to_who_writes_and_to_who_signs(
    runtime: Runtime, sign_in: SignIn
) -> None:
    clerk, warning = sign_in("clerk"), "没有一家平台肯发"
    address = clerk.post("/plans", data=FORM).location
    assert warning not in clerk.get(address).text
    keys = {"secret_id": "k", "secret_key": "s", "sdk_app_id": "1"}
    only = TencentGateway(lab_context(runtime.sessions, None, TencentSettings.model_validate(keys)))
    runtime.provide(SmsProvider, SmsProvider(lab_routes(only), {}))
    for page in (clerk.get(f"/plans/edit?home={NORTH}&hazard=cold&colour=red"), sign_in("approver").get(address)):
        assert page.text.count(warning) == 3
        assert "和哪个报备过的模板都对不上" in page.text
