"""The browser's tools in real Chromium, on pages that the test serves; and an agent with them."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec
import pytest
from aiohttp import web

from tithe.agent import Outcome
from tithe.agent.browser import Browser
from tithe.agent.fault import Fault
from tithe.agent.progress import Event, ToolUsed
from tithe.agent.step_times import StepTime
from tithe.agent.tool import AgentTool
from tithe.core import Request, Script, ScriptedBackend, TextDelta, ToolCallDelta
from tithe.core.errors import UsageError

CHROMIUM = shutil.which("chromium")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: .ci/run installs it")

PAGES = {
    "/": """<title>Shop</title><h1>Shop</h1>
        <form action="/found"><label>Search <input name="q"></label>
        <select name="size" aria-label="Size"><option>Small</option><option>Large</option></select><button>Go</button></form>
        <a href="/prices">Prices</a> <a href="/prices" target="_blank">Prices beside</a>
        <a href="/file">Catalogue</a> <a href="/nowhere">Gone</a> <a href="http://localhost:PORT/">Partner</a>
        <iframe title="Chat" srcdoc="<button onclick=&quot;this.textContent='Pressed'&quot;>Press</button>"></iframe>""",
    "/prices": "<title>Prices</title><h1>Prices</h1><p>The large one is 12.</p>",
    "/asks": "<title>Asks</title><script>const said = confirm('Buy?')</script><p id=p></p><script>p.textContent = 'said ' + said</script>",
    "/later": """<title>Later</title><button onclick="fetch('/slow').then(r => r.text()).then(t => p.textContent = t)">Load</button><p id=p></p>""",
    "/covered": """<button>Under</button><div style="position:fixed;inset:0;background:white">Over</div>""",
    "/keeps": "<script>addEventListener('beforeunload', e => e.preventDefault())</script><button>Touch</button><a href='/prices'>Off</a>",
    "/hangs": "<title>Hangs</title><button onclick='for (;;) {}'>Hang</button>",
    "/many": "<button onclick='for (let n = 0; n < 12; n++) window.open(\"/prices\")'>Many</button>",
    "/long": "<ul>" + "".join(f"<li>entry {number}</li>" for number in range(2_000)) + "</ul>",
}


async def served(request: web.Request) -> web.StreamResponse:
    if request.path == "/found":
        return page(f"<title>Found</title><p>{request.query['q']} in {request.query['size']}</p>")
    if request.path == "/file":
        return web.Response(body=b"x" * 64, headers={"content-disposition": "attachment; filename=list.bin"})
    if request.path == "/slow":
        await asyncio.sleep(0.4)
        return web.Response(text="came late")
    if request.path == "/endless":
        stream = web.StreamResponse(headers={"content-type": "text/html"})
        await stream.prepare(request)
        await stream.write(b"<title>Endless</title><h1>Begins</h1>" + b" " * 2_000)
        await asyncio.Event().wait()
    if request.path not in PAGES:
        return web.Response(text="<h1>Gone</h1>", status=404, content_type="text/html")
    return page(PAGES[request.path].replace("PORT", str(request.url.port)))


def page(html: str) -> web.Response:
    return web.Response(text=html, content_type="text/html")


@pytest.fixture
async def site() -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_get("/{path:.*}", served)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    place = web.TCPSite(runner, "127.0.0.1", 0)
    await place.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@contextlib.asynccontextmanager
async def opened(url: str, **how) -> AsyncIterator["Hand"]:
    async with Browser(url, executable=CHROMIUM, sandbox=False, **how) as browser:
        yield Hand(browser.tools)


class Hand:
    """Uses the tools as the loop does: arguments are read from JSON."""

    def __init__(self, tools: list[AgentTool]) -> None:
        self.tools = {tool.name: tool for tool in tools}

    async def __call__(self, name: str, **arguments) -> str:
        tool = self.tools[name]
        return await tool.run(**tool.read(msgspec.json.encode(arguments).decode()))

    async def ref(self, named: str) -> str:
        """The reference of the first element whose line has this in it."""
        return ref(await self("read_page", find=named), named)


def ref(tree: str, named: str) -> str:
    line = next(line for line in tree.splitlines() if named in line and "[ref=" in line)
    return line.partition("[ref=")[2].partition("]")[0]


async def test_a_form_is_filled_in_and_sent(site: str) -> None:
    async with opened(site) as hand:
        first = await hand("read_page")
        assert first.splitlines()[0] == f"Shop | {site}/"
        assert "Large" in await hand("type_text", ref=ref(first, 'combobox "Size"'), text="Large")
        found = await hand("type_text", ref=ref(first, 'textbox "Search"'), text="a lamp", submit=True)
        assert f"Found | {site}/found?q=a+lamp&size=Large" in found
        assert "a lamp in Large" in found
        assert "Shop" in await hand("back")
        with pytest.raises(Fault, match="no page before"):
            await hand("back")


async def test_a_list_tells_its_options_and_a_button_takes_no_text(site: str) -> None:
    async with opened(site) as hand:
        first = await hand("read_page")
        with pytest.raises(Fault, match="no option 'Huge', but: 'Small', 'Large'"):
            await hand("type_text", ref=ref(first, "combobox"), text="Huge")
        with pytest.raises(Fault, match="does not take 'x': Element is not an <input>"):
            await hand("type_text", ref=ref(first, 'button "Go"'), text="x")


async def test_an_element_that_is_not_there_is_told_at_once(site: str) -> None:
    async with opened(site) as hand:
        await hand("read_page")
        with pytest.raises(Fault, match="no e99 on the page now"):
            await hand("click", ref="e99")
        with pytest.raises(Fault, match="click was not run"):
            await hand("click", ref="e1 >> xpath=//a")


async def test_frames_stand_in_the_tree_and_can_be_acted_on(site: str) -> None:
    async with opened(site) as hand:
        assert "Pressed" in await hand("click", ref=await hand.ref('button "Press"'))


async def test_a_new_tab_is_followed_and_closed_by_back(site: str) -> None:
    async with opened(site) as hand:
        there = await hand("click", ref=await hand.ref("Prices beside"))
        assert "The large one is 12." in there
        assert "A new tab was opened" in there
        again = await hand("back")
        assert f"Shop | {site}/" in again
        assert "A tab was closed" in again


async def test_a_flood_of_tabs_is_dammed(site: str) -> None:
    async with opened(f"{site}/many") as hand:
        assert "A further tab was not opened" in await hand("click", ref=await hand.ref("Many"))


async def test_a_dialog_is_dismissed_and_told(site: str) -> None:
    async with opened(f"{site}/asks") as hand:
        told = await hand("read_page")
        assert "a dialog, which was dismissed: 'Buy?'" in told
        assert "said false" in told
        assert "dialog" not in await hand("read_page")


async def test_a_page_that_would_keep_its_visitor_is_left(site: str) -> None:
    async with opened(f"{site}/keeps") as hand:
        await hand("click", ref=await hand.ref("Touch"))
        assert "Prices |" in await hand("click", ref=await hand.ref("Off"))


async def test_a_download_is_refused_and_told(site: str) -> None:
    async with opened(site) as hand:
        assert "A download was refused: 'list.bin'" in await hand("click", ref=await hand.ref("Catalogue"))
        with pytest.raises(Fault, match="Download is starting"):
            await hand("open_url", url=f"{site}/file")


async def test_what_an_action_loads_is_waited_for(site: str) -> None:
    async with opened(f"{site}/later") as hand:
        assert "came late" in await hand("click", ref=await hand.ref("Load"))


async def test_a_page_that_never_finishes_is_read_as_it_is(site: str) -> None:
    async with opened(f"{site}/endless") as hand:
        told = await hand("read_page")
        assert "Begins" in told
        assert "still loading after 5 s" in told


async def test_what_covers_an_element_is_named(site: str) -> None:
    async with opened(f"{site}/covered") as hand:
        with pytest.raises(Fault, match=r"not within the time for it .*Over.*intercepts pointer events"):
            await hand("click", ref=await hand.ref("Under"))


async def test_a_page_that_hangs_is_given_up(site: str) -> None:
    async with opened(f"{site}/hangs") as hand:
        with pytest.raises(Fault):
            await hand("click", ref=await hand.ref("Hang"))
        with pytest.raises(Fault, match="not within the time"):
            await hand("read_page")
        assert "Prices |" in await hand("open_url", url=f"{site}/prices")


async def test_a_long_page_is_cut_and_can_be_read_on_and_searched(site: str) -> None:
    async with opened(f"{site}/long") as hand:
        first = await hand("read_page")
        assert "entry 0" in first
        assert "entry 1999" not in first
        assert "(cut: " in first
        assert "entry 1999" in await hand("read_page", find="entry 1999")
        assert "entry 1999" in await hand("read_page", line=1_990)


async def test_what_changed_nothing_is_told_in_short(site: str) -> None:
    async with opened(site) as hand:
        heading = ref(await hand("read_page"), "heading")
        await hand("click", ref=heading)
        assert (await hand("click", ref=heading)).endswith("(The page looks as it did before.)")


async def test_addresses_elsewhere_are_opened_only_if_that_is_allowed(site: str) -> None:
    elsewhere = site.replace("127.0.0.1", "localhost")
    async with opened(site) as hand:
        with pytest.raises(Fault, match=r"is not on 127\.0\.0\.1"):
            await hand("open_url", url=elsewhere)
        with pytest.raises(Fault, match="no web address"):
            await hand("open_url", url="file:///etc/passwd")
        assert "This is not 127.0.0.1 any more" in await hand("click", ref=await hand.ref("Partner"))
    async with opened(site, anywhere=True) as hand:
        assert f"Shop | {elsewhere}/" in await hand("open_url", url=elsewhere)


async def test_an_error_of_the_server_and_none_at_all_are_told(site: str) -> None:
    async with opened(site) as hand:
        assert "The server answered with HTTP 404." in await hand("click", ref=await hand.ref("Gone"))
    async with opened("http://127.0.0.1:9/") as hand:
        with pytest.raises(Fault, match=r"127\.0\.0\.1:9/ cannot be opened: net::ERR"):
            await hand("read_page")


async def test_a_browser_that_is_none_is_a_mistake_of_the_users(site: str) -> None:
    for url, executable in (("example.com", CHROMIUM), (site, "/no/such/chromium")):
        with pytest.raises(UsageError):
            async with Browser(url, executable=executable, sandbox=False):
                pass


class Ran(NamedTuple):
    outcome: Outcome
    used: list[ToolUsed]
    page_s: float
    model_s: float
    steps: tuple[StepTime, ...]
    ended: str


Act = Callable[[str], tuple[str, dict[str, object]]]


async def ran(site: str, acts: list[Act], *, budget: float = 60.0, plain: bool = False) -> "Ran":
    """An agent whose model does one act after another, each chosen from the newest tree."""

    def script(request: Request) -> Script:
        if request.tool_choice.mode == "none":
            return Script(deltas=[TextDelta(at=0, text='{"right": true}')])
        taken = sum(message.role == "assistant" for message in request.messages)
        name, arguments = acts[taken](request.messages[-1].content or "")
        return Script(
            deltas=[
                ToolCallDelta(at=0, call=0, id=f"c{taken}", name=name),
                ToolCallDelta(at=0, call=0, arguments=msgspec.json.encode(arguments).decode()),
            ],
            ttft=0.05,
            finish="tool_calls",
        )

    used: list[ToolUsed] = []

    def tell(event: Event) -> None:
        if isinstance(event, ToolUsed):
            used.append(event)

    async with Browser(site, executable=CHROMIUM, sandbox=False, tell=tell) as browser:
        agent = browser.agent(ScriptedBackend(script), "m", plain=plain)
        outcome = await agent.run("What does the large one cost?", budget)
        times = browser.times
        return Ran(outcome, used, times.page.seconds, times.model.seconds, times.steps(), browser.address)


async def test_an_agent_finds_the_answer(site: str) -> None:
    run = await ran(
        site,
        [
            lambda _: ("read_page", {}),
            lambda _: ("click", {"ref": "e77"}),
            lambda _: ("read_page", {"find": "Prices"}),
            lambda tree: ("click", {"ref": ref(tree, 'link "Prices"')}),
            lambda tree: ("final_answer", {"answer": "12" if "is 12." in tree else "unknown"}),
        ],
    )
    assert (run.outcome.stopped, run.outcome.answer) == ("answered", "12")
    assert [one.name for one in run.used] == ["read_page", "click", "read_page", "click"]
    assert [one.failed is None for one in run.used] == [True, False, True, True]
    assert [fault.kind for fault in run.outcome.faults] == ["failed tool"]
    assert 0 < run.page_s < run.outcome.wall_s
    assert 0 < run.model_s < run.outcome.wall_s
    assert run.ended == f"{site}/prices"


async def test_each_step_is_split_into_the_page_and_the_model(site: str) -> None:
    run = await ran(
        site,
        [
            lambda _: ("read_page", {}),
            lambda tree: ("click", {"ref": ref(tree, 'link "Prices"')}),
            lambda _: ("final_answer", {"answer": "12"}),
        ],
    )
    decided = [each for each in run.outcome.decisions if each.decision.kind != "accept"]
    assert [(each.step, each.kind) for each in run.steps] == [
        (each.step, each.decision.kind) for each in decided
    ]
    assert [each.kind for each in run.steps] == ["step", "step", "step", "review"]
    assert [each.tools for each in run.steps] == [("read_page",), ("click",), (), ()]
    assert sum(each.page_s for each in run.steps) == pytest.approx(run.page_s)
    assert sum(each.model_s for each in run.steps) == pytest.approx(run.model_s)
    read, click, answer, review = run.steps
    assert (answer.page_s, review.page_s) == (0, 0)
    assert all(each.model_s >= 0.05 for each in (read, click, answer))  # the script's time to the first token
    assert click.page_s >= 0.15  # no page is read before it was quiet for so long
    for each in run.steps:
        assert max(each.page_s, each.model_s) <= each.wall_s


async def test_the_minimal_loop_is_split_too(site: str) -> None:
    run = await ran(
        site,
        [lambda _: ("read_page", {}), lambda _: ("final_answer", {"answer": "12"})],
        plain=True,
    )
    assert [(each.step, each.tools) for each in run.steps] == [(1, ("read_page",)), (2, ())]


async def test_a_tool_that_is_cut_belongs_to_its_step(site: str) -> None:
    run = await ran(f"{site}/endless", [lambda _: ("read_page", {"find": "x"})] * 9, budget=2.0)
    assert run.outcome.stopped in ("out of time", "stuck")
    assert sum(each.page_s for each in run.steps) == pytest.approx(run.page_s, abs=0.05)
    assert sum(len(each.tools) for each in run.steps) == len(run.used)


async def test_a_run_whose_page_never_loads_ends_in_its_time(site: str) -> None:
    run = await ran(f"{site}/endless", [lambda _: ("read_page", {})] * 9, budget=1.0)
    # On a busy machine the page may not even begin to load, which the model is told over and over.
    assert run.outcome.stopped in ("out of time", "stuck")
    assert run.outcome.answer is None
    assert all(one.said is None or "endless" not in one.said for one in run.used)
