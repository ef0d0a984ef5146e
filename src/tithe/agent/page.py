"""The page that an agent is on: what it reads there, what it does, and what happens beside.

A page is read as its accessibility tree, frames in their places. After each action it is waited for: until no request that the action
set going is in flight and none was begun for `_QUIET_S`, or for `_SETTLE_S` at most, since some pages never finish loading.

What happens beside is told with the next reading: dialogs are dismissed, new tabs followed, downloads refused.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
from playwright.async_api import (
    BrowserContext,
    Dialog,
    Download,
    Locator,
    Request,
    Response,
)
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page as Tab
from playwright.async_api import TimeoutError as PlaywrightTimeout

from tithe.agent.page_tree import shown
from tithe.agent.site import Site, site_of
from tithe.core.errors import UsageError

_ACT_S = 5.0
_OPEN_S = 15.0
_READ_S = 5.0
_SETTLE_S = 5.0
_QUIET_S = 0.15
_LOOK_S = 0.02
_TABS = 8
_TOLD = 300
_OFFERED = 50
# What a list offers; null for any other element.
_OPTIONS = (
    "element => element.tagName === 'SELECT' ? [...element.options].map(one => one.label.trim()) : null"
)
_GIVEN_UP = "net::ERR_ABORTED"
_BLOCKED = re.compile(
    r"intercepts pointer events|is not (visible|enabled|editable|stable)|outside of the viewport"
)


class _Entry(msgspec.Struct, frozen=True):
    url: str


class _History(msgspec.Struct, frozen=True, rename="camel"):
    """A tab's history, as Chromium's debugging protocol tells it."""

    current_index: int
    entries: tuple[_Entry, ...]


class Page:
    """One browser context: its tabs, of which the last is the one that is acted on.

    site: where addresses may be opened by name; None: anywhere. What cannot be done raises `UsageError`, in words for the model.
    """

    def __init__(self, context: BrowserContext, site: Site | None) -> None:
        self._context = context
        self._site = site
        self._tabs: list[Tab] = []
        self._notes: list[str] = []
        self._loading: set[Request] = set()
        self._seen: str | None = None
        self._silent: Tab | None = None
        context.on("page", self._opened)
        context.on("request", self._begun)
        context.on("requestfinished", self._finished)
        context.on("requestfailed", self._failed)
        context.on("response", self._answered)
        context.on("dialog", self._asked)

    @property
    def address(self) -> str | None:
        """None where no page is open."""
        return self._tabs[-1].url if self._tabs else None

    async def open(self, url: str) -> str:
        """Open an address in this tab. Returns what is there."""
        await self.go(url)
        return await self._changed()

    async def go(self, url: str) -> None:
        """Open an address in this tab, and leave what is there to be read."""
        url = url.strip()
        site_of(url)
        if self._site is not None and not self._site.holds(url):
            raise UsageError(f"{url} is not on {self._site.host}, and only addresses there may be opened.")
        if self._tabs and self._tabs[-1] is self._silent:
            # It would hold up whatever is opened in it.
            with contextlib.suppress(PlaywrightError, TimeoutError):
                async with asyncio.timeout(_READ_S):
                    await self._tabs[-1].close()
        if not self._tabs:
            await self._context.new_page()
            self._notes.clear()
        await self._act(
            f"{url} cannot be opened",
            lambda tab: tab.goto(url, wait_until="commit", timeout=_OPEN_S * 1000),
        )

    async def read(self, find: str = "", line: int = 1) -> str:
        """What is on the page: `page_tree.shown`."""
        tree, heading = await self._tree(), await self._heading()
        if not find.strip() and line <= 1:
            self._seen = tree
        return f"{heading}\n{shown(tree, line, find)}"

    async def click(self, ref: str) -> str:
        """Click on an element. Returns what is there then."""
        element = await self._element(ref)
        await self._act(f"{ref} cannot be clicked", lambda _: element.click(timeout=_ACT_S * 1000))
        return await self._changed()

    async def type(self, ref: str, text: str, *, submit: bool = False) -> str:
        """Put a text in place of what is in a field, or choose the option of a list that reads so."""
        element = await self._element(ref)

        async def typed(_: Tab) -> None:
            options = await element.evaluate(_OPTIONS, timeout=_ACT_S * 1000)
            if options is None:
                await element.fill(text, timeout=_ACT_S * 1000)
            elif text in options:
                await element.select_option(label=text, timeout=_ACT_S * 1000)
            else:
                offered = ", ".join(map(repr, options[:_OFFERED]))
                raise UsageError(f"{ref} has no option {text!r}, but: {offered}.")
            if submit:
                await element.press("Enter", timeout=_ACT_S * 1000)

        await self._act(f"{ref} does not take {text!r}", typed)
        return await self._changed()

    async def back(self) -> str:
        """Go to the page before this one; from the first page of a tab that was opened by another, to that one."""
        if await self._has_earlier():
            await self._act(
                "There is no way back", lambda tab: tab.go_back(wait_until="commit", timeout=_OPEN_S * 1000)
            )
        elif len(self._tabs) > 1:
            await self._act("The tab cannot be closed", lambda tab: tab.close())
        else:
            raise UsageError("There is no page before this one.")
        return await self._changed()

    async def _has_earlier(self) -> bool:
        """Whether this tab was on another page before. The empty one that a tab begins with is none."""
        try:
            session = await self._context.new_cdp_session(self._tab())
            # Typed only in part by Playwright.
            ask = cast("Callable[[str], Awaitable[object]]", session.send)  # pyright: ignore[reportUnknownMemberType]
            history = msgspec.convert(await ask("Page.getNavigationHistory"), _History)
            await session.detach()
        except PlaywrightError as error:
            raise UsageError(f"The page does not answer: {_reason(error)}") from error
        place = history.current_index
        return place > 0 and history.entries[place - 1].url != "about:blank"

    async def _act(self, otherwise: str, act: Callable[[Tab], Awaitable[Any]]) -> None:
        """Do something, and wait for what it sets going. `otherwise`: what the model is told where it cannot be done."""
        tab, before = self._tab(), frozenset(self._loading)
        try:
            await act(tab)
        except PlaywrightError as error:
            raise UsageError(f"{otherwise}: {_reason(error)}") from error
        began = quiet = time.monotonic()
        while (now := time.monotonic()) - quiet < _QUIET_S:
            if self._loading - before:
                quiet = now
            if now - began > _SETTLE_S:
                self._notes.append(f"The page was still loading after {_SETTLE_S:g} s.")
                return
            await asyncio.sleep(_LOOK_S)

    async def _element(self, ref: str) -> Locator:
        """The element of that reference. Only what a reading has shown has one."""
        element = self._tab().locator(f"aria-ref={ref}")
        try:
            async with asyncio.timeout(_READ_S):
                there = await element.count()
        except (PlaywrightError, TimeoutError) as error:
            raise UsageError(f"The page does not answer: {_reason(error)}") from error
        if not there:
            raise UsageError(f"There is no {ref} on the page now: read_page shows what there is.")
        return element

    async def _changed(self) -> str:
        """What is on the page, after an action; in short where the model has it already."""
        before, tree = self._seen, await self._tree()
        self._seen = tree
        heading = await self._heading()
        if tree == before:
            return f"{heading}\n(The page looks as it did before.)"
        return f"{heading}\n{shown(tree)}"

    async def _tree(self) -> str:
        try:
            return await self._tab().aria_snapshot(mode="ai", timeout=_READ_S * 1000)
        except PlaywrightError as error:
            if isinstance(error, PlaywrightTimeout):
                self._silent = self._tab()
            raise UsageError(f"The page cannot be read: {_reason(error)}") from error

    async def _heading(self) -> str:
        """Where one is, and what happened since this was last told."""
        tab = self._tab()
        title = ""
        with contextlib.suppress(PlaywrightError, TimeoutError):
            async with asyncio.timeout(_READ_S):
                title = await tab.title()
        if self._site is not None and tab.url.startswith("http") and not self._site.holds(tab.url):
            self._notes.append(f"This is not {self._site.host} any more; `back` leads there.")
        told = [f"{title or '(no title)'} | {tab.url}", *dict.fromkeys(self._notes)]
        self._notes.clear()
        return "\n".join(told)

    def _tab(self) -> Tab:
        if not self._tabs:
            raise UsageError("The last tab was closed: open an address.")
        return self._tabs[-1]

    async def _opened(self, tab: Tab) -> None:
        if len(self._tabs) >= _TABS:
            self._notes.append(f"A further tab was not opened: there are {_TABS} already.")
            with contextlib.suppress(PlaywrightError):
                await tab.close()
            return
        self._tabs.append(tab)
        self._notes.append("A new tab was opened: you are on it now, and back closes it.")
        tab.on("close", self._closed)
        tab.on("crash", lambda _: self._notes.append("The page crashed."))
        tab.on("download", self._downloaded)
        tab.on("filechooser", lambda _: self._notes.append("The page asked for a file, and got none."))

    def _closed(self, tab: Tab) -> None:
        self._tabs.remove(tab)
        self._notes.append("A tab was closed: you are on the one before it.")

    def _begun(self, request: Request) -> None:
        self._loading.add(request)

    def _finished(self, request: Request) -> None:
        self._loading.discard(request)

    def _failed(self, request: Request) -> None:
        self._loading.discard(request)
        if request.is_navigation_request() and request.failure not in (None, _GIVEN_UP):
            self._notes.append(f"{request.url} could not be opened: {request.failure}.")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.request.is_navigation_request():
            self._notes.append(f"The server answered with HTTP {response.status}.")

    async def _asked(self, dialog: Dialog) -> None:
        with contextlib.suppress(PlaywrightError):
            if dialog.type == "beforeunload":
                # To leave is what was asked for, whatever the page would rather have.
                await dialog.accept()
                return
            self._notes.append(f"The page showed a dialog, which was dismissed: {dialog.message[:_TOLD]!r}.")
            await dialog.dismiss()

    def _downloaded(self, download: Download) -> None:
        self._notes.append(f"A download was refused: {download.suggested_filename[:_TOLD]!r}.")


def _reason(error: Exception) -> str:
    """What a model can use of Playwright's words: its first line, and what stood in the way."""
    if isinstance(error, PlaywrightTimeout):
        blocked = [line.strip(" -") for line in str(error).splitlines() if _BLOCKED.search(line)]
        return f"not within the time for it{f' ({blocked[-1][:_TOLD]})' if blocked else ''}"
    if isinstance(error, TimeoutError):
        return "not within the time for it"
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    told = first.partition(": ")[2].removeprefix("Error: ") or first
    return told[:_TOLD]
