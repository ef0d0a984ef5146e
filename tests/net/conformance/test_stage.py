"""Scenarios over a socket, asked by aiohttp: what any client meets."""

import msgspec
from aiohttp import ClientSession

from tithe.net.conformance import SCENARIOS, Lateness, Stage, chosen
from tithe.net.conformance.behaviour import InTurn

ASK = {"messages": [{"role": "user", "content": "Go on."}], "stream": True}


async def post(url: str, body: object, **headers: str) -> tuple[int, bytes]:
    async with ClientSession() as session:
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with session.post(f"{url}/chat/completions", data=data, headers=headers) as got:
            return got.status, await got.read()


async def get(url: str, **headers: str) -> tuple[int, bytes]:
    async with ClientSession() as session, session.get(url, headers=headers) as got:
        return got.status, await got.read()


def script(name: str) -> bytes:
    behaviour = chosen(name)[0].behaviour
    assert isinstance(behaviour, InTurn)
    return b"".join(data for _, data in behaviour.replies[0].chunks)


async def test_the_model_chooses_and_the_bytes_are_the_scenario_s() -> None:
    async with Stage(SCENARIOS) as stage:
        for name in ("role-first", "error-body"):
            assert await post(stage.url, ASK | {"model": name}) == (200, script(name))
        status, said = await post(stage.url, ASK | {"model": "refused-then-served"})
        assert (status, b"not now" in said) == (500, True)
        assert (await post(stage.url, ASK | {"model": "refused-then-served"}))[0] == 200


async def test_a_single_scenario_is_served_whatever_is_asked_for() -> None:
    async with Stage(chosen("json-valid")) as stage:
        assert await post(stage.url, ASK | {"model": "gpt-5"}) == (200, script("json-valid"))


async def test_models_lists_the_scenarios() -> None:
    async with Stage(SCENARIOS) as stage:
        status, body = await get(f"{stage.url}/models")
    listed = [model["id"] for model in msgspec.json.decode(body)["data"]]
    assert (status, listed) == (200, [scenario.name for scenario in SCENARIOS])


async def test_what_cannot_be_played_is_refused_by_name() -> None:
    async with Stage(SCENARIOS) as stage:
        for body, status, said in (
            (b"{", 400, b"no Chat Completions request"),
            ({"model": "role-first"}, 400, b"messages"),
            (ASK | {"model": "role-first", "stream": False}, 400, b"'stream': true"),
            (ASK | {"model": "gpt-5"}, 404, b"no scenario 'gpt-5'"),
        ):
            got, text = await post(stage.url, body)
            assert (got, said in text) == (status, True), text
        assert (await get(f"{stage.url}/nosuch"))[0] == 404


async def test_a_key_guards_it_where_there_is_one() -> None:
    async with Stage(SCENARIOS, api_keys=("right",)) as stage:
        assert (await get(f"{stage.url}/models"))[0] == 401
        assert (await get(f"{stage.url}/models", Authorization="Bearer right"))[0] == 200


async def test_a_web_page_from_elsewhere_is_refused_without_a_key() -> None:
    async with Stage(SCENARIOS) as stage:
        assert (await get(f"{stage.url}/models", Origin="https://example.com"))[0] == 401


async def test_it_tells_how_late_it_was() -> None:
    async with Stage(SCENARIOS) as stage:
        await post(stage.url, ASK | {"model": "role-first"})
        _, body = await get(f"{stage.url}/lateness")
    assert msgspec.json.decode(body, type=Lateness).late_s > 0
