"""The region tree, for programs."""

import builders
import pytest
from apilab import fields_of, problem_of, program
from flask_openapi3.openapi import OpenAPI

from hub.core.runtime import Runtime


def test_one_sees_ones_own_part_of_the_tree(app: OpenAPI, runtime: Runtime) -> None:
    (top,) = program(app, runtime, "clerk").get("/regions").json["items"]  # type: ignore[index]
    assert (top["code"], top["level"]) == (builders.NORTH, "township")
    assert [child["code"] for child in top["children"]] == [builders.BRIDGE, builders.HILL]
    assert top["children"][0] == {"code": builders.BRIDGE, "name": "桥村", "level": "village", "children": []}


def test_one_region_comes_with_everything_below(app: OpenAPI, runtime: Runtime) -> None:
    answer = program(app, runtime, "county").get(f"/regions/{builders.COUNTY}")
    assert [c["code"] for c in answer.json["children"]] == [builders.NORTH, builders.SOUTH]  # type: ignore[index]


@pytest.mark.parametrize("code", [builders.SOUTH, builders.FERRY, builders.COUNTY, "990101009000"])
def test_what_lies_elsewhere_does_not_exist(app: OpenAPI, runtime: Runtime, code: str) -> None:
    problem_of(program(app, runtime, "clerk").get(f"/regions/{code}"), 404, "region_unknown")


def test_a_malformed_code_is_told_as_such(app: OpenAPI, runtime: Runtime) -> None:
    assert fields_of(program(app, runtime, "clerk").get("/regions/12")) == {"code": "field_malformed"}
