import numpy as np

from earmark.app.engine.signals import EngineSignals
from earmark.devices.processes.signal_ring import SignalReader
from earmark.pipeline.stream import Block, ClockMap, Gap, StreamSpec


def test_ring_holds_microvolts_zeros_for_implausible_values_and_nan_for_gaps():
    spec = StreamSpec("eeg", 10.0, ("a", "t", "b", "c"), ("eeg", "misc", "seeg", "eog"), ("V", "", "mV", "uV"))
    signals = EngineSignals("eeg", spec)
    reader = SignalReader(signals.ring)
    assert (reader.ring.sfreq, reader.ring.n_channels) == (10.0, 3)
    signals.write(
        "eeg", Block(0, np.array([[1e-6, 7.0, 2e-3, 3.0], [np.nan, 7.0, np.inf, 4.0], [5.0, 7.0, 0.0, -1e9]]))
    )
    signals.write("eeg", Gap(3, 5))
    signals.write("speech", Block(0, np.ones((9, 4))))
    signals.write("eeg", ClockMap(0.0, 0.0, 0.1))
    signals.write("eeg", Block(5, np.array([[0, 0, 0, 32767]], np.int16)))
    found = reader.read()
    assert (found.start, found.lost) == (0, 0)
    nan = np.nan
    wanted = [[1, 2, 3], [0, 0, 4], [0, 0, 0], [nan, nan, nan], [nan, nan, nan], [0, 0, 32767]]
    np.testing.assert_allclose(found.data, wanted, rtol=1e-6)
    signals.write("eeg", Gap(6, 1_000_000))
    assert reader.read().start + 300 == reader.cursor == 1_000_000
    reader.close()
    signals.close()
