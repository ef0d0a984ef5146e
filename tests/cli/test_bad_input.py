"""Ten thousand bad requests: each is refused by name, and the endpoint serves as before."""

import asyncio
import json
from collections.abc import Iterator

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tithe.engine import Engine, EngineOptions
from tithe.net.options import ServerOptions
from tithe.net.server import Server

EXAMPLES, AT_ONCE = 200, 50
GOOD = {"model": "nano", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=9).map("zz_{}".format)

WRONG_TYPES = {
    "model": st.integers() | st.lists(st.text(max_size=3), max_size=2),
    "messages": st.text(max_size=5)
    | st.integers()
    | st.lists(st.integers(), min_size=1, max_size=3)
    | st.just([]),
    "max_tokens": st.text(max_size=4) | st.integers(max_value=0) | st.lists(st.none(), max_size=1),
    "temperature": st.text(max_size=4) | st.floats(min_value=2.01, max_value=1e9) | st.floats(-1e9, -0.01),
    "top_p": st.text(max_size=4) | st.floats(min_value=1.01, max_value=1e9),
    "n": st.integers(max_value=0) | st.integers(min_value=17) | st.text(max_size=3),
    "stop": st.integers() | st.lists(st.integers(), min_size=1, max_size=3) | st.just([""]),
    "stream": st.text(max_size=4) | st.integers(),
    "tools": st.text(max_size=4) | st.lists(st.text(max_size=3), min_size=1, max_size=2),
    "tool_choice": st.integers() | st.text(max_size=3) | st.just("required"),
    "response_format": st.text(max_size=4) | st.just({"type": "xml"}) | st.just({"type": "json_schema"}),
    "seed": st.text(max_size=4) | st.floats(0.1, 0.9),
    "logit_bias": st.just({"x": 1}) | st.just({"5": 1000}),
    "top_logprobs": st.just(3) | st.integers(min_value=21),
}


def nested(depth: int) -> object:
    value: object = {"type": "string"}
    for _ in range(depth):
        value = {"type": "array", "items": value}
    return value


ENDLESS = {"type": "object", "properties": {"me": {"$ref": "#"}}, "required": ["me"]}
# None of these can be held to, wherever in a schema they are required.
BAD_SCHEMAS = [
    {"type": "array", "uniqueItems": True},
    {"type": "integer", "minimum": 5, "maximum": 1},
    {"type": "string", "minLength": 5, "maxLength": 2},
    {"type": "string", "minLength": -1},
    {"type": "string", "pattern": "("},
    {"type": "object", "properties": []},
    {"enum": []},
    {"$ref": "#/$defs/nowhere"},
    {"$ref": "#"},
    {"anyOf": [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}]},
    ENDLESS,
    nested(101),
    nested(300),
    False,
]
# A hint of any value fails nothing, and hides no fault that stands beside it.
HINTS = st.dictionaries(
    st.sampled_from(
        "user metadata prompt_cache_key service_tier prediction verbosity session_id priority cache_salt nvext "
        "chat_template_kwargs reasoning_effort".split()
    ),
    SCALARS
    | st.lists(SCALARS, max_size=2)
    | st.dictionaries(st.sampled_from(["enable_thinking", "messages", "tools", "zz"]), SCALARS, max_size=2)
    | st.just({"deep": nested(120)}),
    max_size=4,
)


def tool(name: str, schema: object) -> dict[str, object]:
    return {"type": "function", "function": {"name": name, "strict": True, "parameters": schema}}


def form(schema: object) -> dict[str, object]:
    return {"type": "json_schema", "json_schema": {"name": "f", "strict": True, "schema": schema}}


@st.composite
def bad_schemas(draw: st.DrawFn) -> tuple[dict[str, object], str]:
    """The fields that hold a schema that is refused, and the path of it."""
    wrong = draw(st.sampled_from(BAD_SCHEMAS) | NAMES.map(lambda name: {"type": name}))
    name = draw(NAMES)
    whole = {"type": "object", "properties": {name: wrong}, "required": [name]}
    if draw(st.booleans()):
        return {"tools": [tool("f", whole)]}, "tools[0].function.parameters"
    bare = isinstance(wrong, dict) and draw(st.booleans())
    schema = wrong if bare else whole
    return {"response_format": form(schema)}, "response_format.json_schema.schema"


@st.composite
def bad_fields(draw: st.DrawFn) -> tuple[dict[str, object], int, str]:
    """What is wrong beside what is good, the status it deserves, and the field to be named."""
    match draw(st.sampled_from(["type", "unknown", "model", "length", "schema", "twice", "message"])):
        case "type":
            field = draw(st.sampled_from(sorted(WRONG_TYPES)))
            return {field: draw(WRONG_TYPES[field])}, 400, field
        case "unknown":
            field = draw(NAMES)
            return {field: draw(SCALARS)}, 400, field
        case "model":
            return {"model": draw(NAMES)}, 404, "model"
        case "length":
            return {"max_tokens": draw(st.integers(40_000, 10**9))}, 400, "max_tokens"
        case "schema":
            fields, param = draw(bad_schemas())
            return fields, 400, param
        case "twice":
            name = draw(NAMES)
            tools = [tool(name, {"type": "object"}), tool(name, {"type": "object"})]
            return {"tools": tools}, 400, "tools[1].function.name"
        case _:
            wrong = [
                {"role": "tool", "content": "x"},
                {"role": "wizard", "content": "x"},
                {"content": "x"},
                {"role": "user"},
            ]
            return {"messages": [draw(st.sampled_from(wrong))]}, 400, "messages"


@st.composite
def bad(draw: st.DrawFn) -> tuple[bytes, int, str | None]:
    """A body, the status it deserves, and the field to be named (None where no field is to blame)."""
    if draw(st.integers(0, 7)) == 0:
        whole = json.dumps(GOOD).encode()
        cut = draw(st.integers(0, len(whole) - 1))
        return whole[:cut] + draw(st.sampled_from([b"", b"\xff", b"}}", b"]", b"NaN"])), 400, None
    fields, status, param = draw(bad_fields())
    return json.dumps(draw(HINTS) | GOOD | fields).encode(), status, param


class House:
    """The endpoint on an event loop of its own, so that hypothesis can drive it from plain code."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.engine = Engine.load("nano", EngineOptions(kv_bytes=16 << 20))
        self.server = Server(self.engine, "nano", ServerOptions(port=0, max_body_bytes=100_000))
        self.run(self.server.start())
        self.session = self.run(self._session())

    def run(self, work):
        return self.loop.run_until_complete(work)

    async def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16))

    async def post(self, body: bytes, **headers: str) -> tuple[int, dict]:
        async with self.session.post(
            self.server.url + "/chat/completions", data=body, headers=headers
        ) as got:
            return got.status, await got.json()

    async def post_all(self, bodies: list[bytes]) -> list[tuple[int, dict]]:
        return list(await asyncio.gather(*(self.post(body) for body in bodies)))

    def close(self) -> None:
        self.run(self.session.close())
        self.run(self.server.stop())
        self.run(self.engine.aclose())
        self.loop.close()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


def assert_healthy(house: House) -> None:
    status, answered = house.run(house.post(json.dumps(GOOD).encode()))
    assert status == 200
    assert answered["usage"]["completion_tokens"] <= 1
    gauges = house.engine.gauges()
    assert gauges["kv_blocks_used"] == gauges["running"] == gauges["waiting"] == 0


def test_ten_thousand_bad_requests(house: House):
    sent = 0

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(bad(), min_size=AT_ONCE, max_size=AT_ONCE))
    def refuse(requests: list[tuple[bytes, int, str | None]]) -> None:
        nonlocal sent
        answers = house.run(house.post_all([body for body, _, _ in requests]))
        sent += len(answers)
        for (body, status, param), (got, answered) in zip(requests, answers, strict=True):
            error = answered["error"]
            assert got == status, (body, answered)
            assert set(error) == {"message", "type", "param", "code"}
            assert error["message"]
            if param is not None:
                assert (error["param"] or "").startswith(param), (body, error)

    refuse()
    assert sent >= EXAMPLES * AT_ONCE
    assert_healthy(house)


@settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(hints=st.lists(HINTS, min_size=20, max_size=20))
def test_hints_of_any_value_fail_nothing(house: House, hints: list[dict[str, object]]):
    bodies = [json.dumps(GOOD | sent).encode() for sent in hints]
    for sent, (status, answered) in zip(hints, house.run(house.post_all(bodies)), strict=True):
        assert status == 200, (sent, answered)
    assert_healthy(house)


def test_a_body_over_the_limit(house: House):
    big = GOOD | {"messages": [{"role": "user", "content": "x" * 200_000}]}
    status, answered = house.run(house.post(json.dumps(big).encode()))
    assert status == 413
    assert answered["error"]["code"] == "request_too_large"
    assert_healthy(house)


def test_a_prompt_over_the_context(house: House):
    # The KV budget of 16 MiB bounds a sequence to fewer tokens than this prompt has.
    big = GOOD | {"messages": [{"role": "user", "content": "a b " * 20_000}]}
    status, answered = house.run(house.post(json.dumps(big).encode()))
    assert status == 400
    assert (answered["error"]["param"], answered["error"]["code"]) == ("messages", "context_length_exceeded")
    assert_healthy(house)


def test_a_deeply_nested_body(house: House):
    status, _ = house.run(house.post(b'{"model": ' + b"[" * 40_000 + b"]" * 40_000 + b"}"))
    assert status == 400
    assert_healthy(house)


async def test_a_key_missing_or_wrong():
    engine = Engine.load("nano", EngineOptions(kv_bytes=1 << 20))
    server = Server(engine, "nano", ServerOptions(port=0, api_key=("right",)))
    await server.start()
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic right"}):
            async with session.post(server.url + "/chat/completions", json=GOOD, headers=headers) as got:
                assert got.status == 401
                assert (await got.json())["error"]["code"] == "invalid_api_key"
        async with session.post(
            server.url + "/chat/completions", json=GOOD, headers={"Authorization": "Bearer right"}
        ) as got:
            assert got.status == 200
    await server.stop()
    await engine.aclose()
