"""What is taken as a body and how answers are written (00-general.md, 4)."""

import json

import pytest

from tests.world import World

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def bond(world: World) -> str:
    return f"/api/v3/bonds/{world.bond.pk}/"


def send(world: World, body: str | bytes, content_type: str = JSON) -> tuple[int, object]:
    response = world.client("ana").patch(bond(world), body, content_type)
    return response.status_code, response.json()


def test_a_body_is_one_line_in_utf8(world: World) -> None:
    send(world, '{"note": "Zürich\\u2028 \\n café"}')

    response = world.client("ana").get(bond(world))

    assert response["Content-Type"] == "application/json"
    assert len(response.content.decode().splitlines()) == 1
    assert "Zürich" in response.content.decode()
    assert response.json()["note"] == "Zürich\u2028 \n café"


def test_an_indented_body_is_given_on_request(world: World) -> None:
    wanted = {"Accept": "application/json; indent=4"}

    response = world.client("ana").get(bond(world), headers=wanted)

    assert response.content.decode().startswith('{\n    "id": ')
    assert response.json() == world.client("ana").get(bond(world)).json()


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("", 200),
        ("*/*", 200),
        ("application/*", 200),
        ("application/json", 200),
        ("APPLICATION/JSON; charset=utf-8", 200),
        ("text/html, application/xhtml+xml, */*;q=0.8", 200),
        ("text/html, application/json;q=0.1", 200),
        ("text/html", 406),
        ("application/xml", 406),
        ("application/jsonp", 406),
    ],
)
def test_json_is_served_to_whoever_takes_it(accept: str, status: int, world: World) -> None:
    response = world.client("ana").get(bond(world), headers={"Accept": accept})

    assert response.status_code == status
    if status == 406:
        assert response["Content-Type"] == "application/json"
        assert response.json()["code"] == "not_acceptable"


def test_format_json_changes_nothing_and_no_other_format_exists(world: World) -> None:
    plain = world.client("ana").get(bond(world)).content

    assert world.client("ana").get(f"{bond(world)}?format=json").content == plain
    assert world.client("ana").get(f"{bond(world)}?format=xml").content == plain


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "nonsense",
        "'note'",
        '{"note": NaN}',
        '{"note": Infinity}',
        '{"note": 1, "note": 2}',
        '{"support": {"a": 1, "a": 2}}',
        '{"note": "\\ud800"}',
        '{"\\udc00": 1}',
        b'{"note": "\xff"}',
        "[" * 100_000,
        '{"note": ' + "[" * 40 + "]" * 40 + "}",
        '{"note": ' + "9" * 5000 + "}",
    ],
    ids=lambda body: repr(body)[:30],
)
def test_a_body_that_does_not_parse_is_a_parse_error(body: str | bytes, world: World) -> None:
    status, answer = send(world, body)

    assert status == 400
    assert isinstance(answer, dict)
    assert answer["code"] == "parse_error"
    assert answer["detail"]


@pytest.mark.parametrize("body", ["[]", "5", '"x"', "null", "true"])
def test_json_that_is_no_object_is_refused(body: str, world: World) -> None:
    assert send(world, body) == (400, {"non_field_errors": ["Expected an object."]})


@pytest.mark.parametrize("content_type", [JSON, FORM, "text/plain", ""])
def test_an_empty_body_counts_as_an_empty_object(content_type: str, world: World) -> None:
    status, answer = send(world, "", content_type)

    assert status == 200
    assert answer == world.client("ana").get(bond(world)).json()


def test_other_types_of_content_are_415(world: World) -> None:
    status, answer = send(world, "<note/>", "application/xml")

    assert status == 415
    assert isinstance(answer, dict)
    assert answer["code"] == "unsupported_media_type"


def test_more_than_a_mebibyte_is_413(world: World) -> None:
    status, answer = send(world, json.dumps({"unknown": "x" * 1024 * 1024}))

    assert status == 413
    assert isinstance(answer, dict)
    assert answer["code"] == "too_large"


def test_just_under_a_mebibyte_is_read(world: World) -> None:
    status, _ = send(world, json.dumps({"unknown": "x" * (1024 * 1024 - 20)}))

    assert status == 200


def test_forms_are_read_and_an_empty_value_is_null_where_that_is_allowed(world: World) -> None:
    body = "note=hello&secondary_aggregator=&compression=on&reorder_max_hold=20"

    status, answer = send(world, body, FORM)

    assert status == 200
    assert isinstance(answer, dict)
    assert answer["note"] == "hello"
    assert answer["secondary_aggregator"] is None
    assert answer["compression"] is True
    assert answer["reorder_max_hold"] == 20


def test_a_form_leaves_absent_booleans_as_they_are(world: World) -> None:
    send(world, '{"compression": true}')

    response = world.client("ana").put(
        bond(world), f"aggregator={world.home.pk}", content_type=FORM
    )

    assert response.status_code == 200
    assert response.json()["compression"] is True


def test_multipart_is_read_and_its_files_are_nobody_s_fields(world: World) -> None:
    body = (
        "--x\r\nContent-Disposition: form-data; name=note\r\n\r\nhello\r\n"
        '--x\r\nContent-Disposition: form-data; name=product; filename="a"\r\n\r\nno\r\n--x--\r\n'
    )

    status, answer = send(world, body, "multipart/form-data; boundary=x")

    assert status == 200
    assert isinstance(answer, dict)
    assert (answer["note"], answer["product"]) == ("hello", "")


def test_a_broken_multipart_body_is_a_parse_error(world: World) -> None:
    status, answer = send(world, "--y\r\n", "multipart/form-data")

    assert status == 400
    assert isinstance(answer, dict)
    assert answer["code"] == "parse_error"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"reorder_max_hold": "5"}, {"reorder_max_hold": 5}),
        ({"reorder_max_hold": 5.0}, {"reorder_max_hold": 5}),
        ({"packet_loss_threshold": "2.5"}, {"packet_loss_threshold": 2.5}),
        ({"packet_loss_threshold": 3}, {"packet_loss_threshold": 3}),
        ({"compression": "true"}, {"compression": True}),
        ({"compression": "1"}, {"compression": True}),
        ({"compression": "on"}, {"compression": True}),
        ({"compression": 1}, {"compression": True}),
        ({"clamp_tcp": "false"}, {"clamp_tcp": False}),
        ({"clamp_tcp": "0"}, {"clamp_tcp": False}),
        ({"clamp_tcp": "off"}, {"clamp_tcp": False}),
        ({"note": "  hello \n"}, {"note": "hello"}),
        ({"circuit_id": 20417}, {"circuit_id": "20417"}),
        ({"packet_distribution": " idmpq "}, {"packet_distribution": "idmpq"}),
        ({"tcp_proxy_ports": [80, 8080]}, {"tcp_proxy_ports": "80,8080"}),
    ],
)
def test_unambiguous_strings_stand_for_what_they_say(
    given: dict[str, object], taken: dict[str, object], world: World
) -> None:
    status, answer = send(world, json.dumps(given))

    assert status == 200, answer
    assert isinstance(answer, dict)
    assert {name: answer[name] for name in taken} == taken


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"note": None}, "This field may not be null."),
        ({"name": ""}, "This field may not be blank."),
        ({"name": "   "}, "This field may not be blank."),
        ({"name": "x" * 65}, "Ensure this field has no more than 64 characters."),
        ({"note": "a\0b"}, "Null characters are not allowed."),
        ({"note": {"a": 1}}, "Not a valid string."),
        ({"note": True}, "Not a valid string."),
        ({"reorder_max_hold": -1}, "Ensure this value is greater than or equal to 0."),
        ({"reorder_max_hold": 1001}, "Ensure this value is less than or equal to 1000."),
        ({"reorder_max_hold": "many"}, "A valid integer is required."),
        ({"reorder_max_hold": 1.5}, "A valid integer is required."),
        ({"reorder_max_hold": True}, "A valid integer is required."),
        ({"reorder_max_hold": "1_000"}, "A valid integer is required."),
        ({"reorder_max_hold": 10**30}, "A valid integer is required."),
        ({"packet_loss_threshold": "much"}, "A valid number is required."),
        ({"packet_loss_threshold": 1e300}, "Ensure this value is less than or equal to 100."),
        ({"packet_loss_threshold": 0}, "Ensure this value is greater than or equal to 0.1."),
        ({"compression": "perhaps"}, "Must be a valid boolean."),
        ({"compression": []}, "Must be a valid boolean."),
        ({"compression": 2}, "Must be a valid boolean."),
        ({"tunnel_security": "x"}, '"x" is not a valid choice.'),
        ({"tunnel_security": ["none"]}, "\"['none']\" is not a valid choice."),
    ],
)
def test_what_cannot_be_taken_is_refused_in_the_standard_words(
    given: dict[str, object], message: str, world: World
) -> None:
    (field,) = given

    assert send(world, json.dumps(given)) == (400, {field: [message]})


def test_all_faults_are_told_together_and_nothing_is_written(world: World) -> None:
    status, answer = send(world, '{"note": "new", "compression": "x", "reorder_max_hold": "y"}')

    assert status == 400
    assert answer == {
        "compression": ["Must be a valid boolean."],
        "reorder_max_hold": ["A valid integer is required."],
    }
    assert world.client("ana").get(bond(world)).json()["note"] == ""


def test_every_answer_may_not_be_stored_and_varies(world: World) -> None:
    for client, path in (
        (world.client("ana"), bond(world)),
        (world.nobody(), bond(world)),
        (world.nobody(), "/api/v3/nowhere/"),
    ):
        response = client.get(path)

        assert response["Cache-Control"] == "no-store"
        assert response["Vary"] == "Accept, Authorization, Cookie"
        assert "Access-Control-Allow-Origin" not in response
