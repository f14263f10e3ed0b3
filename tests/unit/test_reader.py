"""The reader behind the pad: it learns beside everything else, and the pad reads meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest
import torch

from course_utils.live.interrupts import running
from course_utils.playgrounds import digit_pad, reader, strokes
from course_utils.playgrounds.pad import EMPTY, UNSEEN

TIMEOUT = 30.0
FIRST_WORDS = UNSEEN.format(example=44, label=5)
SEVEN = [(0.2, 0.85), (0.8, 0.85), (0.45, 0.12)]


@pytest.fixture(autouse=True)
def little_to_learn(monkeypatch):
    """A kernel of its own for each test, with a reader that learns for a moment only."""
    for name in ("COURSE_DATASET", "COURSE_AUTHORING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setattr(reader, "_readers", {})
    monkeypatch.setattr(reader, "NUM_EPOCHS", {"embedded": 3})
    monkeypatch.setattr(reader, "DRAWN_PER_DIGIT", 2)
    monkeypatch.setattr(reader, "SHOWN_EVERY", 0.0)


def in_a_kernel(scenario):
    """Run `scenario()` on an event loop; no task may stay behind."""

    async def main():
        try:
            await scenario()
        finally:
            for pad in list(reader.reader_of("embedded")._watchers):
                pad.close()
            await until(lambda: len(asyncio.all_tasks()) == 1)
            assert not running

    asyncio.run(main())


async def until(true):
    end = time.monotonic() + TIMEOUT
    while not true():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.002)


def shown(pad):
    """The page has shown `pad`: what it is sent from now on, all of it painted at once."""
    frames = []

    def receive(message, buffers=None):
        if message["type"] == "frame":
            frames.append(message)
            pad._on_message(None, {"type": "painted", "frame": message["frame"]}, None)
        elif message["type"] == "error":
            frames.append({"summary": message["error"]})

    assert pad.widget is not None
    pad._canvas.send = receive
    pad._on_message(None, {"type": "ready", "dpr": 1}, None)
    return frames


def weights(model):
    return torch.cat([weight.flatten() for weight in model.parameters()])


def test_the_pad_stands_before_anything_is_learned_and_says_the_same_every_time():
    async def scenario():
        pad, again = digit_pad(), digit_pad()
        data, metadata = pad._repr_mimebundle_()
        assert data["text/plain"] == metadata["image/png"]["alt"] == FIRST_WORDS
        assert repr(pad) == repr(again) == FIRST_WORDS
        await asyncio.sleep(0.2)  # nobody looks, as in a test of the notebooks
        assert pad._reader.newest == reader.reader_of("embedded").newest
        assert pad._reader.newest.rounds == 0 and repr(pad) == FIRST_WORDS

    in_a_kernel(scenario)


def test_a_drawing_is_read_at_once_and_better_while_the_network_learns():
    async def scenario():
        pad = digit_pad()
        frames, turns = shown(pad), 0
        pad.clear()
        pad.stroke(SEVEN)
        await until(lambda: frames and frames[-1]["summary"].startswith("The drawing: the network"))
        first = pad.result
        assert first.pupil is not None and first.probabilities.max() < 0.5
        # The first: a busy machine may have drawn more since.
        reads = next(f["summary"] for f in frames if f["summary"].startswith("The drawing: the"))
        assert "Still learning: round 1 of 12." in reads
        while not pad._reader.newest.ready:
            turns += 1
            await asyncio.sleep(0.001)
        assert turns > 50, "the event loop was not free"
        await until(lambda: pad.result.pupil is None)
        assert pad.result.probabilities.max() > first.probabilities.max() + 0.2
        assert "earning" not in repr(pad) and pad._learning.get_text() == ""
        rounds = [frame["summary"].partition("round ")[2].partition(" of")[0] for frame in frames]
        rounds = [int(number) for number in rounds if number]
        assert rounds == sorted(rounds) and len(set(rounds)) > 3
        assert any("% of the test digits right so far" in frame["summary"] for frame in frames)
        alone = reader.Reader("embedded").finish(progress=False)
        assert torch.equal(weights(pad._reader.newest.model), weights(alone))
        assert reader.digit_reader() is pad._reader.newest.model
        assert digit_pad()._unseen is False

    in_a_kernel(scenario)


def test_the_learners_settings_do_no_harm():
    async def scenario():
        pad = digit_pad()
        shown(pad)
        torch.manual_seed(7)
        state = torch.random.get_rng_state()
        torch.set_default_dtype(torch.float64)
        with torch.no_grad():
            await until(lambda: pad._reader.newest.ready)
        assert torch.equal(torch.random.get_rng_state(), state)

    try:
        in_a_kernel(scenario)
    finally:
        torch.set_default_dtype(torch.float32)
    learned = weights(reader.digit_reader())
    assert torch.equal(learned, weights(reader.Reader("embedded").finish(progress=False)))


def test_closing_ends_it_and_the_next_pad_goes_on():
    async def scenario():
        pad = digit_pad()
        shown(pad)
        its_reader = pad._reader
        await until(lambda: its_reader.newest.rounds > 2)
        pad.close()
        await until(lambda: its_reader._task.done())
        rounds = its_reader.newest.rounds
        assert rounds < reader.ROUNDS and its_reader.newest.stopped
        fresh = digit_pad()
        assert fresh._reader is its_reader
        assert fresh.result.pupil.rounds == rounds
        frames = shown(fresh)
        await until(lambda: frames and "Still learning" in frames[-1]["summary"])
        await until(lambda: fresh.result.pupil is None)

    in_a_kernel(scenario)


def test_two_pads_learn_together():
    async def scenario():
        pads = [digit_pad(), digit_pad()]
        frames = [shown(pad) for pad in pads]
        task = pads[0]._reader
        await until(lambda: task.newest.rounds > 1)
        pads[0].close()
        await until(lambda: pads[1].result.pupil is None)
        assert "reads" in frames[1][-1]["summary"]
        assert len(frames[0]) < len(frames[1])

    in_a_kernel(scenario)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to another process")
def test_the_interrupt_button_stops_it_and_the_cell_goes_on():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a kernel has it between two cells

    async def scenario():
        pad = digit_pad()
        frames = shown(pad)
        await until(lambda: pad._reader.newest.rounds > 0)
        os.kill(os.getpid(), signal.SIGINT)
        await until(lambda: frames and frames[-1]["summary"].endswith("and it learns on."))
        assert "Learning stopped: round " in frames[-1]["summary"]
        assert "learning stopped" in pad._learning.get_text()
        rounds = pad._reader.newest.rounds
        pad.clear()
        await until(lambda: frames[-1]["summary"].startswith(EMPTY))
        assert pad._reader.newest.rounds == rounds < reader.ROUNDS
        again = digit_pad()
        shown(again)
        await until(lambda: again.result.pupil is None)

    try:
        in_a_kernel(scenario)
    finally:
        signal.signal(signal.SIGINT, before)


def breaks(error):
    def broken(*_):
        raise error

    return broken


def test_an_interrupt_inside_leaves_no_half_trained_reader(monkeypatch):
    alone = reader.reader_of("embedded")
    untrained = weights(alone.newest.model)
    for _ in range(5):
        assert alone.advance()
    assert not torch.equal(weights(alone.newest.model), untrained)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(reader, "warped", breaks(KeyboardInterrupt()))
        alone.advance()
    assert torch.equal(weights(alone.newest.model), untrained)
    assert reader.digit_reader() is alone.newest.model and alone.newest.ready


def test_an_error_in_the_training_is_told(monkeypatch):
    monkeypatch.setattr(reader, "warped", breaks(ArithmeticError("the batch is broken")))

    async def scenario():
        pad = digit_pad()
        frames = shown(pad)
        await until(lambda: frames and "the batch is broken" in frames[-1]["summary"])

    in_a_kernel(scenario)


def test_stored_pictures_are_of_a_reader_that_has_learned(monkeypatch):
    monkeypatch.setenv("COURSE_AUTHORING", "1")

    async def scenario():
        pad = digit_pad()
        assert repr(pad) == FIRST_WORDS and pad.result.pupil is None
        assert pad._reader.newest.ready

    in_a_kernel(scenario)


def test_drawn_digits_are_the_same_every_time():
    X, y = strokes.drawn_digits(2, torch.Generator().manual_seed(1))
    again, _ = strokes.drawn_digits(2, torch.Generator().manual_seed(1))
    assert torch.equal(X, again) and X.shape == (20, 1, 28, 28) and X.dtype == torch.float32
    assert 0 <= X.min() and X.max() <= 1
    assert y.bincount().tolist() == [2] * 10
