"""The way to 全部静音 from the pages about a place, for those who may use it."""

from builders import BRIDGE, HILL, NORTH
from composelab import SignIn, said
from flask_openapi3.openapi import OpenAPI

WORDS = "让这里全部静音"


def test_the_page_of_a_region_leads_to_silencing_it(app: OpenAPI, sign_in: SignIn) -> None:
    county = sign_in("county")
    for code in (NORTH, BRIDGE):
        page = county.get(f"/regions/{code}").text
        assert WORDS in page
        assert f'href="/silence?region={code}"' in page
    assert "桥村" in said(county.get(f"/silence?region={BRIDGE}").text)


def test_the_list_of_a_place_leads_to_silencing_it(app: OpenAPI, sign_in: SignIn) -> None:
    for who in ("clerk", "duty", "secretary"):
        assert f'href="/silence?region={BRIDGE}"' in sign_in(who).get(f"/speakers?region={BRIDGE}").text, who
    assert WORDS not in sign_in("clerk").get("/speakers").text, "no place is chosen"


def test_who_may_not_is_not_led_there(app: OpenAPI, sign_in: SignIn) -> None:
    assert WORDS not in sign_in("viewer").get(f"/speakers?region={BRIDGE}").text
    stranger = sign_in("strange_duty")
    assert stranger.get(f"/speakers?region={HILL}").status_code == 404
    assert app.test_client().get(f"/speakers?region={BRIDGE}").status_code == 302
