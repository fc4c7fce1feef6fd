"""The page in a real browser: by mouse and by keys, in two tabs, reloaded in mid-render."""

from __future__ import annotations

import base64
import re
import shutil
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_factory import ffmpeg
from playwright.sync_api import Browser, Page, expect, sync_playwright
from server_world import Server, make_clip

pytestmark = pytest.mark.needs("chromium")
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
WAIT_MS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        made = playwright.chromium.launch(executable_path=path, args=arguments)
        yield made
        made.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(folder=tmp_path_factory.mktemp("page") / "server").running() as made:
        yield made


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Six seconds of noise that comes and goes, and the same recorded 0.5 s later."""
    folder = tmp_path_factory.mktemp("pair")
    random = np.random.default_rng(7)
    rate = 16_000
    loudness = np.repeat(random.uniform(0.02, 0.5, 60), rate // 10)
    sound = (random.standard_normal(6 * rate) * loudness * 8000).clip(-32000, 32000)
    for name, first in (("camera", 0), ("recorder", rate // 2)):
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(sound[first:].astype("<i2").tobytes())
    silent = make_clip(folder / "silent.mp4", duration=6, rate=10, audio=None)
    camera = folder / "camera.mp4"
    ffmpeg("-i", silent, "-i", folder / "camera.wav", "-c:v", "copy", "-c:a", "aac", camera)
    return camera, folder / "recorder.wav"


class Visitor:
    """A browser of one user; what goes wrong in it is kept."""

    def __init__(self, browser: Browser, server: Server, **options: Any) -> None:
        self.context = browser.new_context(base_url=server.url, **options)
        self.context.set_default_timeout(WAIT_MS)
        self.complaints: list[str] = []

    def page(self) -> Page:
        """A tab."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note)
        page.goto("/")
        expect(page.locator("#credits")).not_to_be_empty(timeout=WAIT_MS)
        return page

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


def shot(page: Page, tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Keep a picture of the page, as an artefact of the run."""
    folder = tmp_path_factory.getbasetemp() / "screenshots"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True)


def assert_accessible(page: Page) -> None:
    """axe finds nothing that is wrong."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    told = [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]
    assert told == []
    assert len(found["passes"]) > 10


def drop(page: Page, *paths: Path) -> None:
    """Drop files on the page, as a hand with a mouse does."""
    told = [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in paths]
    carried = page.evaluate_handle(
        """told => {
            const carried = new DataTransfer();
            for (const [name, data] of told) {
                const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
                carried.items.add(new File([bytes], name));
            }
            return carried;
        }""",
        told,
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("main", event, {"dataTransfer": carried})


def offset_ms(page: Page) -> float:
    text = page.locator("#offset").inner_text()
    return float(re.findall(r"-?\d+\.\d", text)[0])


def test_from_two_files_to_a_film(
    browser: Browser,
    server: Server,
    pair: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    visitor = Visitor(browser, server, color_scheme="light", locale="en-GB", bypass_csp=False)
    visitor.context.add_init_script(
        "window.Audio = class extends Audio { constructor() { super(); window.before = this; } }"
    )
    page = visitor.page()
    drop(page, *pair)
    expect(page.locator("#file-list .facts")).to_have_count(2, timeout=WAIT_MS)

    # Shown where it belongs before it is put there; only then can it be moved.
    expect(page.locator("#verdict")).to_contain_text("500.0 ms", timeout=WAIT_MS)
    assert offset_ms(page) == pytest.approx(500, abs=1)
    page.locator("#lane").press("ArrowRight")
    assert offset_ms(page) == pytest.approx(500, abs=1)
    page.get_by_role("button", name="Put the sound in its place").click()
    expect(page.locator("#said .agent").last).to_contain_text("merged", timeout=WAIT_MS)
    expect(page.locator("[data-nudge]").first).to_be_enabled(timeout=WAIT_MS)
    assert offset_ms(page) == pytest.approx(500, abs=1)

    # By keys alone: moved by 10 and 1 ms, heard at once, kept by the server.
    found = offset_ms(page)
    page.locator("#lane").focus()
    page.keyboard.press("Space")
    expect(page.locator("#preview")).to_have_text("Stop", timeout=WAIT_MS)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert offset_ms(page) == pytest.approx(found + 11, abs=0.11)
    expect(page.locator("#summary")).to_contain_text("0.51", timeout=WAIT_MS)

    # A second tab has the same session, and what the one does is seen in the other.
    other = visitor.page()
    expect(other.locator("#file-list .facts")).to_have_count(2, timeout=WAIT_MS)
    other.get_by_label("What should change?").fill('add the title "Hello" at the top')
    other.keyboard.press("Enter")
    expect(page.locator(".clip.text")).to_have_text("Hello", timeout=WAIT_MS)

    # What is cut off both moves neither against the other.
    other.get_by_label("What should change?").fill("cut the first second")
    other.keyboard.press("Enter")
    expect(page.locator("#summary")).to_contain_text("0-5s", timeout=WAIT_MS)
    assert offset_ms(page) == pytest.approx(found + 11, abs=0.11)
    other.close()

    # By mouse, and exported at once: what is rendered is what was moved.
    lane = page.locator("#lane").bounding_box()
    assert lane is not None
    page.mouse.move(lane["x"] + 100, lane["y"] + 100)
    page.mouse.down()
    page.mouse.move(lane["x"] + 100 + lane["width"] / 60, lane["y"] + 100)
    page.mouse.up()
    assert offset_ms(page) == pytest.approx(found + 111, abs=2)

    # Reloaded in mid-render: the render goes on, and the page finds it.
    gate = server.hold_renders()
    page.get_by_role("button", name="Export", exact=True).click()
    gate.wait()
    page.reload()
    expect(page.locator("#render-state")).to_contain_text("rendering", timeout=WAIT_MS)
    expect(page.locator("[data-nudge]").first).to_be_enabled(timeout=WAIT_MS)
    assert offset_ms(page) == pytest.approx(found + 111, abs=2)
    shot(page, tmp_path_factory, "rendering-light")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#render-state")).to_have_text("cancelled", timeout=WAIT_MS)
    server.hook.unlink()
    page.get_by_role("button", name="Export", exact=True).click()
    page.reload()
    expect(page.locator("#render-state")).to_contain_text("ready: 5.0 s", timeout=3 * WAIT_MS)
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    made = downloading.value.path().read_bytes()
    assert made[4:8] == b"ftyp"
    length = page.locator("#video").evaluate("film => film.duration")
    assert length == pytest.approx(5, abs=0.1)
    page.get_by_label("the camera before").check()
    assert page.locator("#video").evaluate("film => film.muted")
    page.locator("#video").evaluate("film => { film.currentTime = 1; return film.play(); }")
    page.wait_for_function(  # the camera's sound, which has the second that was cut off
        """() => Math.abs(before.currentTime - 1
            - document.querySelector("#video").currentTime) < 0.25 && !before.paused""",
        timeout=WAIT_MS,
    )
    page.locator("#video").evaluate("film => film.pause()")
    page.get_by_label("the result").check()
    assert not page.locator("#video").evaluate("film => film.muted")
    assert_accessible(page)
    shot(page, tmp_path_factory, "done-light")
    assert visitor.complaints == []
    visitor.context.close()


def test_what_is_moved_while_the_agent_works_is_done_in_its_turn(
    browser: Browser, server: Server, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    """Shown at once, in every tab and after a reload; and no export is without it."""
    visitor = Visitor(browser, server, locale="en-GB")
    page = visitor.page()
    drop(page, *pair)
    page.get_by_role("button", name="Put the sound in its place").click()
    expect(page.locator("[data-nudge]").first).to_be_enabled(timeout=WAIT_MS)
    found = offset_ms(page)
    other = tmp_path / "other.wav"
    shutil.copy(pair[1], other)
    page.locator("#pick").set_input_files([str(other)])
    expect(page.locator("#file-list .facts").nth(2)).to_contain_text("Sound", timeout=WAIT_MS)
    with server.held_comparisons() as gate:
        for sentence in ("merge other.wav", "undo"):
            page.get_by_label("What should change?").fill(sentence)
            page.keyboard.press("Enter")
        gate.wait()
        expect(page.locator("#said .agent").last).to_have_text("Working…")
        page.locator("#lane").press("ArrowRight")
        with page.expect_response("**/place") as answering:
            page.locator("#lane").press("ArrowRight")
        (waiting,) = answering.value.json()["data"]["moving"].values()
        assert waiting == pytest.approx(0.02)
        assert offset_ms(page) == pytest.approx(found + 20, abs=0.11)
        page.reload()
        tabs = (page, visitor.page())
        for tab in tabs:
            expect(tab.locator("#said .agent").last).to_have_text("Working…", timeout=WAIT_MS)
            expect(tab.locator("#offset")).to_contain_text(f"{found + 20:.1f}", timeout=WAIT_MS)
        page.get_by_role("button", name="Export", exact=True).click()
        expect(page.locator("#render-state")).to_have_text("waiting for what is being done")
        expect(page.get_by_role("button", name="Export", exact=True)).to_be_disabled()
    expect(page.locator("#render-state")).to_contain_text("ready", timeout=3 * WAIT_MS)
    for tab in tabs:
        expect(tab.locator("#offset")).to_contain_text(f"{found + 20:.1f}", timeout=WAIT_MS)
    told = page.evaluate(
        """async () => {
            const headers = { Authorization: `Bearer ${localStorage.getItem("token")}` };
            const here = `/api/page/${localStorage.getItem("session")}`;
            return (await (await fetch(here, { headers })).json()).data;
        }"""
    )
    (made,) = told["renders"]
    sounds = [track["clips"] for track in made["tracks"] if track["kind"] == "audio"]
    assert sounds[0][0]["name"] == "recorder"
    assert sounds[0][0]["start"] == pytest.approx(found / 1000 + 0.02, abs=0.0002)
    assert visitor.complaints == []
    visitor.context.close()


def test_on_a_phone_in_chinese_and_in_the_dark(
    browser: Browser,
    server: Server,
    pair: tuple[Path, Path],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    viewport = {"width": 360, "height": 740}
    visitor = Visitor(
        browser, server, color_scheme="dark", locale="zh-CN", viewport=viewport, has_touch=True
    )
    page = visitor.page()
    expect(page.locator("#files-title")).to_have_text("文件")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    bad = tmp_path / "坏.mp4"
    bad.write_text("#EXTM3U\n/etc/passwd\n")
    page.locator("#pick").set_input_files([str(bad)])
    expect(page.locator("#file-list .bad")).to_contain_text("不支持的文件", timeout=WAIT_MS)
    # 415 is the answer that was asked for, and the one thing that the console tells.
    assert len(visitor.complaints) == 1
    assert "415" in visitor.complaints[0]
    page.locator("#pick").set_input_files([str(path) for path in pair])
    page.get_by_role("button", name="对齐声音").click()
    expect(page.locator("#verdict")).to_contain_text("毫秒", timeout=WAIT_MS)
    expect(page.locator("#said .agent").last).to_contain_text("合并", timeout=WAIT_MS)
    expect(page.locator("#summary")).to_contain_text("时间线（", timeout=WAIT_MS)
    tops = page.locator("[data-nudge]").evaluate_all("all => all.map(one => one.offsetTop)")
    assert len(set(tops)) == 1  # one row
    page.get_by_label("要改什么？").fill("在顶部加标题“你好”")
    page.keyboard.press("Enter")
    expect(page.locator(".clip.text")).to_have_text("你好", timeout=WAIT_MS)
    # A sentence that is refused: why is told and stays, and the sentence is not lost.
    refusal = {"status": 402, "json": {"code": 2001, "message": "insufficient credits"}}
    visitor.context.route("**/run_sse", lambda route: route.fulfill(**refusal))
    page.get_by_label("要改什么？").fill("静音")
    with page.expect_response("**/api/credits/balance/simple"):
        page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_have_text("积分不足", timeout=WAIT_MS)
    expect(page.get_by_label("要改什么？")).to_have_value("静音")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert_accessible(page)
    shot(page, tmp_path_factory, "phone-dark")
    visitor.context.close()


ORDER = [
    "skip", "new", "pick", "lane", "preview", "-100", "-10", "-1", "1", "10", "100", "zoom-out",
    "zoom-in", "where", "said", "sentence", "send", "render", "video", "after", "download",
]  # fmt: skip
"""Where Tab comes to when a film is made, from the top of the page to its end."""
HERE = """() => {
    const one = document.activeElement;
    if (one === document.body) return ["body", true];
    const ringed = one.id === "pick" ? one.parentElement : one;
    const style = getComputedStyle(ringed);
    const { width, height } = ringed.getBoundingClientRect();
    const seen = style.outlineStyle !== "none" && width > 0 && height > 0;
    return [one.id || one.dataset.nudge || one.value || one.dataset.text, seen];
}"""


def tabbed(page: Page, goal: str, key: str = "Tab") -> list[str]:
    """Press Tab until something has the keyboard; gives all that had it, each seen to have it."""
    stops: list[str] = []
    for _ in range(60):
        page.keyboard.press(key)
        (name, seen) = page.evaluate(HERE)
        assert seen, f"it is not seen that {name} has the keyboard"
        if stops[-1:] != [name]:  # a film has several controls
            stops.append(name)
        if name == goal:
            return stops
    raise AssertionError(f"{goal} is not reached: {stops}")


def test_from_an_empty_page_to_the_download_by_keys_alone(
    browser: Browser,
    server: Server,
    pair: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    visitor = Visitor(browser, server, color_scheme="light", locale="en-GB")
    page = visitor.page()
    assert tabbed(page, "pick") == ["skip", "new", "pick"]
    with page.expect_file_chooser() as choosing:
        page.keyboard.press("Space")
    choosing.value.set_files([str(path) for path in pair])
    expect(page.locator("#merge")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#verdict")).to_contain_text("500.0 ms", timeout=WAIT_MS)
    assert tabbed(page, "merge") == ["merge"]
    shot(page, tmp_path_factory, "keys-merge")
    page.keyboard.press("Enter")
    # The button goes, and what is next has the keyboard.
    expect(page.locator("#lane")).to_be_focused(timeout=WAIT_MS)
    expect(page.locator("[data-nudge]").first).to_be_enabled(timeout=WAIT_MS)
    found = offset_ms(page)
    for key in ("ArrowRight", "PageUp", "Shift+ArrowDown"):
        page.keyboard.press(key)
    assert offset_ms(page) == pytest.approx(found + 109, abs=0.11)
    shot(page, tmp_path_factory, "keys-lane")
    tabbed(page, "-10")
    page.keyboard.press("Enter")
    assert offset_ms(page) == pytest.approx(found + 99, abs=0.11)
    tabbed(page, "sentence")
    page.keyboard.type("cut the last second")
    page.keyboard.press("Enter")
    expect(page.locator("#summary")).to_contain_text("0-5s", timeout=WAIT_MS)
    expect(page.locator("#sentence")).to_be_focused()
    tabbed(page, "render")
    gate = server.hold_renders("keys")
    page.keyboard.press("Enter")
    gate.wait()
    server.hook.unlink()
    tabbed(page, "cancel")
    page.keyboard.press("Space")
    expect(page.locator("#render-state")).to_have_text("cancelled", timeout=WAIT_MS)
    expect(page.locator("#render")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#render-state")).to_contain_text("ready: 5.0 s", timeout=3 * WAIT_MS)
    tabbed(page, "after")
    page.keyboard.press("ArrowRight")
    assert page.locator("#video").evaluate("film => film.muted")
    page.keyboard.press("ArrowLeft")
    shot(page, tmp_path_factory, "keys-compare")
    tabbed(page, "download")
    with page.expect_download() as downloading:
        page.keyboard.press("Enter")
    assert downloading.value.path().read_bytes()[4:8] == b"ftyp"
    assert tabbed(page, "skip", "Shift+Tab") == ORDER[-2::-1]
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    assert visitor.complaints == []
    visitor.context.close()


def test_who_has_no_token_is_asked_for_it_and_can_leave_that_for_later(
    browser: Browser, tmp_path: Path
) -> None:
    """By keys alone: what is wrong is told where it was typed, and the keyboard is given back."""
    more = {"AVPIPE_SERVER_SIGNUP": "invited"}
    with Server(folder=tmp_path / "invited", more=more).running() as server:
        token = server.line("serve", "--invite", "--data", server.data).out.split()[-1]
        context = browser.new_context(base_url=server.url, locale="en-GB")
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.goto("/")
        expect(page.get_by_label("Token", exact=True)).to_be_focused(timeout=WAIT_MS)
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#signin-bad")).not_to_be_empty(timeout=WAIT_MS)
        page.keyboard.press("Escape")
        expect(page.locator("#notice")).to_contain_text("without a token")
        expect(page.locator("#new")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Token", exact=True)).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#new")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Token", exact=True)).to_be_focused()
        page.keyboard.type(token)
        page.keyboard.press("Enter")
        expect(page.locator("#credits")).not_to_be_empty(timeout=WAIT_MS)
        expect(page.locator("#new")).to_be_focused()
        expect(page.locator("#notice")).to_be_hidden()
        context.close()
