"""Play a recording over LSL and decode it as it arrives.

    python examples/play_and_decode.py RUN DECODER SOUND SOUND [SECONDS]

A thread plays the EEG after the inlet is connected, so the first sample that arrives is the first one of the recording,
at which the sounds begin. The envelopes of the two sound files and the EEG go into the same graph, which aligns them;
the decoder scores its output window by window. A session (``earmark run``) does all of this and more; this example
shows how the parts fit together.
"""

import argparse
import queue
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from earmark.devices import Inlet, StreamSelector, load_decoder, open_recording, read_speech
from earmark.devices.simulate.player import Player
from earmark.devices.sources.lsl_log import quiet_liblsl
from earmark.devices.sources.source import Wanted
from earmark.pipeline import Aligned, Block, Gap, Marker, StreamSpec
from earmark.pipeline.attention.decoding_graph import decoding_graph
from earmark.pipeline.stream import ClockMap


def aligned(inlet: Inlet, arrivals: queue.Queue, graph, envelopes: np.ndarray, sfreq: float) -> Iterator[Aligned]:
    """Feed the graph with arriving EEG and the envelopes up to that time; yield its aligned output."""
    clock, heard, begin = None, 0, 0.0
    while True:
        item = arrivals.get(timeout=20.0).item
        if not isinstance(item, Block | Gap | ClockMap | Marker):
            continue  # a measured clock offset, or a text event
        found = graph.feed("eeg", item)
        if isinstance(item, ClockMap):
            if clock is None:
                begin = item.time(0)  # the sounds begin at the first sample
                found += graph.feed("speech", ClockMap(0, begin, 1 / sfreq))
            clock = item
        elif isinstance(item, Block) and clock is not None:
            now = min(len(envelopes), int((clock.time(item.stop) - begin) * sfreq) + 1)
            found += graph.feed("speech", Block(heard, envelopes[heard:now]))
            heard = now
        yield from (one for _, one in found if isinstance(one, Aligned))


def main(run: Path, folder: Path, sounds: list[Path], seconds: float = 20.0) -> list[int]:
    """Print the decoded talker of each window; return the indices of the talkers."""
    decoder, _ = load_decoder(folder)
    speech = [read_speech(path) for path in sounds]
    sfreq, n = speech[0][1], min(len(envelope) for envelope, _ in speech)
    envelopes = np.hstack([envelope[:n] for envelope, _ in speech])  # (n_samples, n_talkers)
    names = tuple(path.stem for path in sounds)
    source_id, arrivals = str(uuid.uuid4()), queue.Queue()
    player, stop = Player(open_recording(run, "1"), source_id=source_id), threading.Event()
    inlet = Inlet(Wanted("eeg", StreamSelector(source_id=source_id), arrivals.put))
    playing = threading.Thread(target=player.play, args=(stop,))
    neural, talkers, decided = [], [], []
    try:
        inlet.connect(30.0)
        graph = decoding_graph(decoder.preset, "eeg", ["speech"], 1, max_wait_s=2.0)
        spec = StreamSpec("speech", sfreq, names, ("misc",) * len(names), ("",) * len(names))
        graph.open({"eeg": inlet.description.spec, "speech": spec})
        inlet.start()
        playing.start()
        window = decoder.spec.n_window + decoder.spec.reach
        for block in aligned(inlet, arrivals, graph, envelopes, sfreq):
            neural.append(block.neural)
            talkers.append(block.talkers)
            if sum(map(len, neural)) < window:
                continue
            scores = decoder.score(np.concatenate(neural)[:window], np.concatenate(talkers, axis=1)[:, :window])
            decided.append(int(np.argmax(scores)))
            print(f"{block.stop / decoder.spec.sfreq:6.1f} s  {names[decided[-1]]}  scores {np.round(scores, 2)}")
            neural, talkers = [], []
            if block.stop / decoder.spec.sfreq >= seconds:
                return decided
    finally:
        stop.set()
        if playing.ident is not None:
            playing.join()
        inlet.stop()
        player.close()
    return decided


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("decoder", type=Path, help="its folder")
    parser.add_argument("sounds", type=Path, nargs=2, help="of both talkers, in the order of the decoder's runs")
    parser.add_argument("seconds", type=float, nargs="?", default=20.0)
    given = parser.parse_args()
    quiet_liblsl()
    main(given.run, given.decoder, given.sounds, given.seconds)
