"""Firefox, as it comes and with its guard against fingerprinting: it shows the same pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from conftest import browser_required
from tests.browser.firefox import REMEDY, FirefoxPage, find_firefox, firefox
from tests.browser.lab import LabPage, write_notebook
from tests.browser.test_engine import WAVE

CANVAS = "document.querySelector('.course-live canvas')"
SHOWS = f"""([format, words]) => {CANVAS}?.dataset.format === format
  && {CANVAS}.getAttribute('aria-label') === words"""
PLACE = f"""() => {{
  {CANVAS}.scrollIntoView({{block: 'center'}});
  const box = {CANVAS}.getBoundingClientRect();
  return [box.x, box.y, box.width, box.height];
}}"""
# What a page may read back of a canvas that it has painted grey.
READ_BACK = """() => {
  const context = new OffscreenCanvas(20, 20).getContext('2d');
  context.fillStyle = '#808080';
  context.fillRect(0, 0, 20, 20);
  return new Set(context.getImageData(0, 0, 20, 20).data).size;
}"""


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "resisting"])
def opened(request, labs) -> Iterator[tuple[LabPage, FirefoxPage]]:
    """A playground in Firefox."""
    if find_firefox() is None:
        (pytest.fail if browser_required() else pytest.skip)(REMEDY)
    url, folder = labs(True)
    name = f"firefox{request.param}.ipynb"
    write_notebook(folder / name, WAVE)
    with firefox(privacy__resistFingerprinting=request.param) as page:
        assert (page.evaluate(READ_BACK) > 2) == request.param  # grey and opaque, or noise
        lab = LabPage(page, url, name)
        lab.run_all()
        yield lab, page
        lab.close()


def seen(page: FirefoxPage) -> np.ndarray:
    return rgb(page.screenshot(*page.evaluate(PLACE)))


def rgb(png: bytes) -> np.ndarray:
    """The picture, (60, 150, 3): coarse, as the guard also hides how dense the pixels are."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return np.asarray(image.resize((150, 60), Image.Resampling.BOX)).astype(float)


def drawn(lab: LabPage, scale: str) -> np.ndarray:
    frame = f"wave.picture.frame(moving=False, scale={scale})"
    code = f"import base64; print(base64.b64encode({frame}.data).decode())"
    return rgb(base64.b64decode(lab.kernel(code)))


def test_a_picture_is_what_the_kernel_drew_at_rest_and_while_it_moves(opened):
    lab, page = opened
    knob = ".course-playground .noUi-handle"
    page.wait_for_selector(knob)
    page.press(knob, "End")
    page.wait_for_function(SHOWS, ["png", "A wave of frequency 5.00."])
    # The guard says that pixels are dense, and small words look different then.
    assert np.abs(seen(page) - drawn(lab, "wave._scale")).mean() < 0.5
    lab.kernel("wave.rest_after = 60")
    page.press(knob, "Home")
    page.wait_for_function(SHOWS, ["patch", "A wave of frequency 0.50."])
    assert np.abs(seen(page) - drawn(lab, "1.0")).mean() < 0.5
    assert lab.errors() == [] and lab.console_errors == []
