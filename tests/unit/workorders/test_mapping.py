"""Mappings: the language, its limits, what is refused and how that is said. Plain data in and out."""

import json
import re
import time
import tomllib
from typing import Any

import pytest

from tests.support.machine import ROOT
from workorders.delivery import presets
from workorders.delivery.mapping.compiled import OrderMapping, Sending
from workorders.delivery.mapping.errors import MappingFaultsError
from workorders.delivery.mapping.handover import Job
from workorders.delivery.mapping.preview import faults, preview
from workorders.delivery.mapping.spec import merged, read_spec
from workorders.delivery.retry import Outcome
from workorders.delivery.sample import documents

URL = "https://tickets.example.cn/api/"
FULL, REVISED, SPARSE, WITHDRAWN = documents().values()

DOCUMENTATION = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")


def mapping(request: dict[str, Any] | None = None, **more: Any) -> OrderMapping:
    one = {"json": {}} if request is None else request
    return OrderMapping(read_spec({"requests": {"order": one}, **more}))


def sent(request: dict[str, Any], document: bytes = FULL, **more: Any) -> Sending:
    (one,) = preview(mapping(request, **more), URL, Job(document, "k.1")).sendings
    return one


def value(template: Any, document: bytes = FULL, **more: Any) -> Any:
    """What the template makes, as JSON."""
    return json.loads(sent({"json": {"v": template}}, document, **more).body or b"")["v"]


def failure(template: Any, document: bytes = FULL, **more: Any) -> str:
    made = mapping({"json": {"area": template}}, **more)
    outcome = preview(made, URL, Job(document, "k.1")).outcome
    assert outcome.state == "retry"
    assert outcome.failure is not None
    return outcome.failure.text


def refused(data: dict[str, Any]) -> str:
    with pytest.raises(MappingFaultsError) as caught:
        OrderMapping(read_spec(data))
    return "\n".join(caught.value.faults)


# -- what a template makes ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("template", "made"),
    [
        ("{{ fields.town }}", "刘桥镇"),
        ("在{{ fields.town }}{{ fields.village }}", "在刘桥镇英雄村"),
        ("{{ order.revision }}", 1),
        ("第 {{ order.revision }} 版", "第 1 版"),
        ("{{ order.duplicate_of }}", None),
        ("[{{ order.duplicate_of }}]", "[]"),
        ("{{ fields.urgent }}", False),
        ("{{ fields.urgent }}!", "false!"),
        ("{{ fields.keywords }}", ["路灯", "英雄村"]),
        ("{{ fields.keywords | join('；') }}", "路灯；英雄村"),
        ("{{ order.transcript | query('[].{who: side, said: text}') | first | items | list }}",
         [["who", "caller"], ["said", "刘桥镇英雄村三组的路灯坏了三天，晚上看不见路。"]]),
        ("{{ order.submitted_at | time }}", "2026-05-29 04:27:50"),
        ("{{ order.submitted_at | time('%Y/%m/%d', 'UTC') }}", "2026/05/28"),
        ("{{ (order.submitted_at | epoch * 1000) | int }}", 1_780_000_070_000),
        ("{{ fields.nothing | default('无') }}", "无"),
        ("{{ order.fields.nothing.value | default(none) }}", None),
        ("{{ 'a' if fields.urgent else 'b' }}", "b"),
        ("{% for one in order.related %}{{ one.title }};{% endfor %}", "路灯闪烁;"),
        ("{{ {'a': [1, fields.town, {'b': none}]} }}", {"a": [1, "刘桥镇", {"b": None}]}),
        ("no template", "no template"), (7, 7), (None, None), (["{{ order.line }}"], ["12345"]),
        ({"deep": {"er": "{{ key }}"}}, {"deep": {"er": "k.1"}}),
    ],
)  # fmt: skip
def test_a_value_keeps_its_type_and_a_text_is_a_text(template: Any, made: Any) -> None:
    assert value(template) == made


def test_what_an_order_holds_goes_before_what_a_table_can_do() -> None:
    document = json.loads(FULL)
    document["call"]["ivr"] = {"items": "2", "keys": "*"}
    assert value("{{ order.call.ivr.items }}{{ order.call.ivr.keys }}", json.dumps(document).encode()) == "2*"


def test_omit_leaves_a_key_out() -> None:
    body = {"a": "{{ fields.nothing | default(omit) }}", "b": 1, "c": ["{{ omit }}", 2]}
    assert json.loads(sent({"json": body}).body or b"") == {"b": 1, "c": [2]}


def test_a_texts_own_braces_are_no_template() -> None:
    document = json.loads(FULL)
    document["fields"]["title"]["value"] = "{{ secrets.token }} {% for x in y %}"
    made = value("{{ fields.title }}!", json.dumps(document).encode(), secrets=["token"])
    assert made == "{{ secrets.token }} {% for x in y %}!"


def test_the_document_itself_is_passed_on_byte_for_byte() -> None:
    assert sent({"json": "{{ order }}"}, b'{"a" :  1}').body == b'{"a" :  1}'


def test_form_and_text() -> None:
    form = sent({"form": {"t": "{{ fields.title }}&x", "k": "{{ fields.keywords }}", "n": "{{ omit }}"}})
    assert (
        form.body
        == b"t=%E8%B7%AF%E7%81%AF%E4%B8%8D%E4%BA%AE%26x&k=%E8%B7%AF%E7%81%AF&k=%E8%8B%B1%E9%9B%84%E6%9D%91"
    )
    assert form.headers["content-type"] == "application/x-www-form-urlencoded"
    text = sent({"text": "{{ fields.title }}", "headers": {"Content-Type": "text/csv"}})
    assert (text.body, text.headers["content-type"]) == ("路灯不亮".encode(), "text/csv")


# -- value tables ------------------------------------------------------------------------------------------
TABLES = {
    "town": {"values": {"刘桥镇": 17, "五接镇": 18}},
    "urgent": {"values": {"true": "high"}, "default": "low"},
}


def test_a_table_gives_their_code_or_its_default() -> None:
    assert value("{{ fields.town | table('town') }}", tables=TABLES) == 17
    assert value("{{ fields.urgent | table('urgent') }}", tables=TABLES) == "low"
    assert value("{{ ['刘桥镇', '五接镇'] | table('town') }}", tables=TABLES) == [17, 18]


def test_what_a_table_lacks_is_named_with_the_fix() -> None:
    text = failure("{{ fields.village | table('town') }}", tables=TABLES)
    assert "requests.order.json.area" in text
    assert "英雄村" in text
    assert "[tables.town]" in text
    assert "there is no table 'towns'; add [tables.towns]" in failure(
        "{{ fields.town | table('towns') }}", tables=TABLES
    )


# -- what fails for an order -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ fields.town }}", "'town'"), ("{{ order.fields.town.value }}", "'town'"),
        ("{{ order.call.nothing.at.all }}!", "'nothing'"), ("{{ fields.town | table('town') }}", "'town'"),
        ("{{ requests.order.id }}", "'order'"),
    ],
)  # fmt: skip
def test_what_an_order_lacks_is_named_with_place_and_fix(template: str, words: str) -> None:
    text = failure(template, SPARSE, tables=TABLES)
    assert "requests.order.json.area" in text
    assert words in text
    assert "give it a default" in text


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 // 0 }}", "{{ fields.title | int + [] }}", "{{ fields.title.nothing() }}", "{{ order() }}",
        "{{ fields.title | time }}", "{{ order | query('fields.[') }}", "{{ 'x' * 1000000000 }}",
        "{{ '%999999999d' % 1 }}", "{{ 'x'.format }}", "{{ 'x'.ljust(1000000000) }}", "{{ [].append(1) }}",
        "{{ order.fields.pop('town') }}", "{{ order.__class__ }}", "{{ ''.__class__.__mro__ }}",
        "{{ fields.get.__globals__ }}", "{{ fields.title.encode('idna') }}", "a{{ omit }}b", "{{ 1e999 }}",
        "{{ (order.transcript | map(attribute='__class__') | list) }}",
        "{{ fields.title | map('attr', '__class__') | list }}",
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_failure_of_that_order_at_once(template: str) -> None:
    began = time.monotonic()
    text = failure(template)
    assert "requests.order.json.area" in text
    assert text.isprintable()
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    "template",
    [
        "{% set x = 1 %}", "{% macro m() %}{% endmacro %}", "{% include 'x' %}", "{% import 'x' as y %}",
        "{% extends 'x' %}", "{% block b %}{% endblock %}", "{{ 9 ** 9 ** 9 }}", "{{ range(10) }}",
        "{{ cycler }}", "{{ lipsum() }}", "{{ self }}", "{{ fields | attr('x') }}", "{{ 'x' | center(9) }}",
        "{{ 'x' | format(1) }}", "{{ 'x' | pprint }}", "{{ fields.town", "{% for a in b %}", "{{ }}",
        "{% for a in order %}{% for b in order %}{% for c in order %}{% endfor %}{% endfor %}{% endfor %}",
        "{{ os.environ }}", "{{ config }}",
    ],
)  # fmt: skip
def test_what_is_no_template_here_is_refused_before_any_order(template: str) -> None:
    assert "requests.order.json.area: " in refused({"requests": {"order": {"json": {"area": template}}}})


# -- where it goes -----------------------------------------------------------------------------------------
def test_what_is_put_into_a_url_is_encoded() -> None:
    document = json.loads(FULL)
    document["fields"]["title"]["value"] = "a/../b?x=1&y#z 路\r\n"
    one = sent(
        {
            "url": "{{ base }}/t/{{ fields.title }}/x",
            "query": {"q": "{{ fields.title }}", "n": "{{ omit }}"},
            "json": {},
        },
        json.dumps(document).encode(),
    )
    assert one.url == (
        "https://tickets.example.cn/api/t/a%2F..%2Fb%3Fx%3D1%26y%23z%20%E8%B7%AF%0D%0A/x"
        "?q=a%2F..%2Fb%3Fx%3D1%26y%23z+%E8%B7%AF%0D%0A"
    )
    assert sent({"json": {}}).url == URL, "as it is configured"


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere/",
        "{{ base }}.evil.cn/",
        "{{ fields.title }}",
        "{{ base }}/{{ '..' }}/x",
        "{{ base }}@x/",
    ],
)
def test_it_goes_to_the_configured_system_only(url: str) -> None:
    made = mapping({"url": url, "json": {}})
    shown = preview(made, "https://tickets.example.cn", Job(FULL, "k.1"))
    assert (shown.sendings, shown.outcome.state) == ([], "retry")
    assert shown.outcome.failure is not None
    assert "requests.order.url" in shown.outcome.failure.text


@pytest.mark.parametrize("text", ["a\r\nX-Evil: 1", "a\nb", "路", "a\x00b", "x" * 5000])
def test_a_header_is_one_line_of_ascii(text: str) -> None:
    document = json.loads(FULL)
    document["fields"]["title"]["value"] = text
    made = mapping({"headers": {"X-Title": "{{ fields.title }}"}, "json": {}})
    shown = preview(made, URL, Job(json.dumps(document).encode(), "k.1"))
    assert shown.sendings == []
    assert shown.outcome.failure is not None
    assert "requests.order.headers.x-title" in shown.outcome.failure.text


def test_secrets_are_masked_in_a_preview() -> None:
    request = {"headers": {"authorization": "Bearer {{ secrets.token }}"}, "json": {}}
    assert sent(request, secrets=["token"]).headers["authorization"] == "Bearer ********"


# -- what is refused before any order ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"json": {}, "form": {}}, "requests.order: json and form; a request has one body"),
        ({}, "requests.order: no body; add json, form or text"),
        ({"method": "GET", "json": {}}, "requests.order.json: GET has no body"),
        ({"json": {}, "metod": "PUT"}, "requests.order: unknown key metod; remove it"),
        ({"json": {}, "method": "DELETE"}, "requests.order.method: Invalid enum value 'DELETE'"),
        ({"json": {}, "for": "new"}, "requests: none for later revisions"),
        ({"json": {}, "id": "a["}, "requests.order.id: 'a[' is no JMESPath expression"),
        ({"json": {}, "success_if": "a ="}, "requests.order.success_if: 'a =' is no JMESPath"),
        ({"json": {}, "success": [20]}, "requests.order.success: 20 is no HTTP status"),
        ({"json": {}, "find": {"url": "{{ base }}"}},
         "requests.order.find: Object missing required field `id`"),
        ({"json": {}, "headers": {"Host": "x"}}, "requests.order.headers.host: is set by the gateway"),
        ({"json": {}, "headers": {"Webhook-Id": "x"}}, "requests.order.headers.webhook-id: is set by"),
        ({"json": {}, "headers": {"a b": "x"}}, "requests.order.headers.'a b': no name of a header"),
        ({"json": {}, "headers": {"a": "x\r\ny"}}, "requests.order.headers.a: must be one line"),
        ({"json": {}, "headers": {"Authorization": "Bearer 123"}},
         "authorization: a secret must not be in this file"),
        ({"json": {}, "headers": {"X-Api-Key": "123"}}, "x-api-key: a secret must not be in this file"),
        ({"json": {}, "url": "{{ base }}?t={{ secrets.t }}"},
         "requests.order.url: a secret must not be part of a URL"),
        ({"json": {}, "query": {"t": "{{ secrets.t }}"}},
         "requests.order.query.t: a secret must not be part"),
        ({"json": {"a": "{{ feilds.title }}"}}, "requests.order.json.a: feilds is not known here"),
    ],
)  # fmt: skip
def test_what_is_written_wrongly_is_named_with_the_fix(request_: dict[str, Any], words: str) -> None:
    assert words in refused({"requests": {"order": request_}, "secrets": ["t"]})


def test_all_faults_are_told_at_once() -> None:
    text = refused({
        "requests": {"a": {"json": "{{ x", "id": "id"}, "b": {"json": "{{ y }}", "id": "id"}}, "number": "c",
        "tables": {"t": {"value": {}}}, "secrets": ["secret"],
    })  # fmt: skip
    for words in ("number = 'c'", "tables.t: unknown key value", "secrets: 'secret' is no name"):
        assert words in text
    assert "requests: there is none" in refused({})
    two = refused({"requests": {"a": {"json": 1, "id": "x"}, "b": {"json": 1, "id": "x"}}})
    assert "number: several requests have an id" in two


def test_a_preset_is_overridden_key_by_key() -> None:
    preset = {"vars": {"a": 1, "b": 2}, "requests": {"r": {"json": {"x": 1, "y": 2}, "url": "u"}}}
    over = merged(preset, {"vars": {"b": 3}, "requests": {"r": {"json": {"y": 9}}}})
    assert over == {"vars": {"a": 1, "b": 3}, "requests": {"r": {"json": {"x": 1, "y": 9}, "url": "u"}}}
    assert merged(preset, {"requests": {"r": {"form": {"z": 1}}}})["requests"]["r"] == {
        "form": {"z": 1},
        "url": "u",
    }


def test_what_would_be_made_twice_needs_a_look_first() -> None:
    ticket = {"for": "new", "json": {}, "id": "id"}
    requests = {"ticket": ticket, "note": {"json": {}}}
    assert "requests.ticket: is made again where a later request fails; add find" in refused(
        {"requests": requests}
    )
    OrderMapping(read_spec({"requests": {"ticket": ticket | {"find": {"id": "id"}}, "note": {"json": {}}}}))


@pytest.mark.parametrize(
    "request_", [{"form": {"t": "{{ fields.title }}"}}, {"json": {}, "query": {"t": "{{ fields.title }}"}}]
)
def test_text_that_is_no_utf_8_is_a_failure_of_that_order(request_: dict[str, Any]) -> None:
    document = FULL.replace("路灯不亮".encode(), b"\\ud800")
    shown = preview(mapping(request_), URL, Job(document, "k.1"))
    assert (shown.sendings, shown.outcome.state) == ([], "retry")
    assert shown.outcome.failure is not None


# -- tried on samples --------------------------------------------------------------------------------------
def test_a_mapping_is_tried_on_full_and_on_sparse_orders() -> None:
    needs = mapping({"json": {"area": "{{ fields.town }}"}})
    (fault,) = faults(needs, URL, documents(), "Asia/Shanghai")
    assert "requests.order.json.area" in fault
    assert "the required fields alone" in fault
    fine = mapping(
        {"json": {"area": "{{ fields.town | default('') | table('t') }}"}}, tables={"t": {"values": {"x": 1}}}
    )
    assert faults(fine, URL, documents(), "Asia/Shanghai") == [], (
        "which values a table needs, no sample knows"
    )


def test_look_ups_and_later_requests_are_tried_as_well() -> None:
    spec = {
        "number": "create",
        "requests": {
            "create": {"for": "new", "json": {}, "id": "id",
                       "find": {"id": "x", "query": {"q": "{{ order.nothing }}"}}},
            "change": {"for": "update", "method": "PUT", "json": {"v": "{{ order.neither }}"}},
        },
    }  # fmt: skip
    found = faults(OrderMapping(read_spec(spec)), URL, documents(), "Asia/Shanghai")
    assert ["requests.create.find.query.q" in found[0], "requests.change.json.v" in found[1]] == [True, True]
    assert isinstance(preview(mapping(), URL, Job(FULL, "k.1")).outcome, Outcome)


# -- the documentation ---------------------------------------------------------------------------------------
def test_the_documentations_own_mapping_works() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", DOCUMENTATION, re.DOTALL)
    (block,) = [one for one in blocks if "[requests.create]" in one]
    data = tomllib.loads(block)
    data["tables"]["area"] = {"values": {"刘桥镇": "017"}, "default": data["tables"]["area"]["default"]}
    made = OrderMapping(read_spec(data))
    assert faults(made, URL, documents(), "Asia/Shanghai") == []
    (create,) = preview(made, URL, Job(FULL, "k.1")).sendings
    body = json.loads(create.body or b"")
    assert (body["area"], body["urgent"], body["reported"]) == ("017", False, "2026-05-29 04:27")
    assert body["said"][0]["who"] == "caller"
    (change,) = preview(made, URL, Job(WITHDRAWN, "k.3", number="77")).sendings
    assert (change.method, change.url) == ("PATCH", "https://tickets.example.cn/api/tickets/77")
    assert json.loads(change.body or b"") == {"title": "路灯不亮", "state": 9}


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_whole_and_documented(name: str) -> None:
    made = OrderMapping(read_spec(presets.read(name)))
    assert faults(made, URL, documents(), "Asia/Shanghai") == []
    row = next(line for line in DOCUMENTATION.splitlines() if line.startswith(f"| `{name}`"))
    for secret in made.spec.secrets:
        assert f"secret `{secret}`" in row
    assert made.spec.description
