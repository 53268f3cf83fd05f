"""The pages about regions, as a browser sees them."""

import io
import json
from collections.abc import Callable

import pytest
from builders import BRIDGE, COUNTY, FERRY, HILL, NORTH, SOUTH
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from hub.core.runtime import Runtime
from hub.regions import service
from hub.regions.models import RegionShape

SignIn = Callable[[str], FlaskClient]
NEW = "990101001003"


def name_of(runtime: Runtime, code: str) -> str | None:
    with runtime.sessions.read() as session:
        return service.names(session, {code}).get(code)


def test_the_tree_shows_names_codes_and_how_many_loudspeakers_hang_there(sign_in: SignIn) -> None:
    page = sign_in("county").get("/regions").text
    assert page.index("试县") < page.index("北镇") < page.index("桥村")
    assert BRIDGE in page
    assert "6 只" in page
    assert "4 只" in page


def test_a_village_is_added_below_its_township(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("county")
    assert f'value="{NEW}"' in client.get(f"/regions/{NORTH}").text, "the next free code is offered"
    answer = client.post(f"/regions/{NORTH}/below", data={"code": NEW, "name": "新村"}, follow_redirects=True)
    assert "新村加上了" in answer.text
    assert name_of(runtime, NEW) == "新村"


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"code": BRIDGE, "name": "新村"}, "code"),
        ({"code": "99", "name": "新村"}, "code"),
        ({"code": FERRY[:9] + "009", "name": "新村"}, "code"),
        ({"code": NEW, "name": ""}, "name"),
    ],
)
def test_a_refused_region_keeps_what_was_typed_and_adds_nothing(
    sign_in: SignIn, runtime: Runtime, form: dict[str, str], field: str
) -> None:
    answer = sign_in("county").post(f"/regions/{NORTH}/below", data=form)
    assert (answer.status_code, f'href="#f-{field}"' in answer.text) == (422, True)
    assert f'value="{form["code"]}"' in answer.text
    assert f'value="{form["name"]}"' in answer.text
    assert name_of(runtime, NEW) is None


def test_a_region_gets_another_name(sign_in: SignIn, runtime: Runtime) -> None:
    answer = sign_in("county").post(f"/regions/{BRIDGE}/name", data={"new_name": "新桥村"}, follow_redirects=True)
    assert "现在叫新桥村" in answer.text
    assert name_of(runtime, BRIDGE) == "新桥村"


def test_an_empty_name_is_refused_at_its_own_field(sign_in: SignIn, runtime: Runtime) -> None:
    answer = sign_in("county").post(f"/regions/{BRIDGE}/name", data={"new_name": " "})
    assert (answer.status_code, 'href="#f-new_name"' in answer.text) == (422, True)
    assert name_of(runtime, BRIDGE) == "桥村"


@pytest.mark.parametrize("who", ["clerk", "approver", "viewer", "stranger"])
def test_only_administrators_look_after_regions(sign_in: SignIn, runtime: Runtime, who: str) -> None:
    client = sign_in(who)
    assert client.get("/regions").status_code == 403
    assert client.post(f"/regions/{BRIDGE}/name", data={"new_name": "新桥村"}).status_code == 403
    assert client.post(f"/regions/{NORTH}/below", data={"code": NEW, "name": "新村"}).status_code == 403
    assert 'href="/regions"' not in client.get("/speakers").text
    assert name_of(runtime, BRIDGE) == "桥村"
    assert name_of(runtime, NEW) is None


def test_without_signing_in_nothing_is_renamed(app: OpenAPI, runtime: Runtime) -> None:
    assert app.test_client().post(f"/regions/{BRIDGE}/name", data={"new_name": "新桥村"}).status_code == 302
    assert name_of(runtime, BRIDGE) == "桥村"


@pytest.mark.parametrize("code", ["990101001099", "nonsense"])
def test_an_unknown_region_is_not_found(sign_in: SignIn, code: str) -> None:
    assert sign_in("county").get(f"/regions/{code}").status_code == 404


def test_a_group_offers_nothing_below(sign_in: SignIn) -> None:
    client = sign_in("county")
    client.post(f"/regions/{BRIDGE}/below", data={"code": BRIDGE + "01", "name": "一组"})
    assert "/below" not in client.get(f"/regions/{BRIDGE}01").text
    assert "/below" in client.get(f"/regions/{COUNTY}").text
    assert "/below" in client.get(f"/regions/{SOUTH}").text


def test_borders_are_read_from_a_file_all_or_none(sign_in: SignIn, runtime: Runtime) -> None:
    def sent(*codes: str) -> dict[str, object]:
        square = [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]
        features = [
            {"type": "Feature", "properties": {"code": code}, "geometry": {"type": "Polygon", "coordinates": [square]}}
            for code in codes
        ]
        return {
            "file": (io.BytesIO(json.dumps({"type": "FeatureCollection", "features": features}).encode()), "a.json")
        }

    county = sign_in("county")
    wrong = county.post("/regions/borders", data=sent(BRIDGE, "990101009009"), follow_redirects=True)
    assert "990101009009" in wrong.text
    with runtime.sessions.read() as session:
        assert session.scalars(select(RegionShape)).all() == []
    assert "存了 2 个地方的边界" in county.post("/regions/borders", data=sent(BRIDGE, HILL), follow_redirects=True).text
    assert "有边界的地方：2 个" in county.get("/regions").text
    assert sign_in("clerk").post("/regions/borders", data=sent(BRIDGE)).status_code == 403
    assert "FeatureCollection" in county.post("/regions/borders", data={}, follow_redirects=True).text
