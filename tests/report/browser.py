"""Chromium, as the tests of pages use it."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Milliseconds; a busy machine is no reason to fail.
PATIENCE = 300_000
# What a page is asked: whether it is wider than its window, and how many marks each drawing has.
WIDER = "document.documentElement.scrollWidth - window.innerWidth"
MARKS = """[...document.querySelectorAll('.drawing')].map(drawing => [drawing.id, drawing.querySelectorAll(
  '[role=img] g:is([aria-label=dot], [aria-label=bar]):not([aria-hidden=true]) > *').length])"""
# Whether any two texts of a drawing stand on each other.
COLLISIONS = """drawing => {
  const texts = [...drawing.querySelectorAll('[role=img] text')].filter(one => one.textContent.trim());
  const boxes = texts.map(one => [one.textContent, one.getBoundingClientRect()]);
  return boxes.flatMap(([said, a], place) => boxes.slice(place + 1)
    .filter(([, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
    .map(([other]) => [said, other]));
}"""
EVIL = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: .ci/run installs it")
