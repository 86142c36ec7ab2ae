"""Status bar at the bottom: stream, latency, losses, sound, recording and disk."""

from __future__ import annotations

import math

from PySide6.QtWidgets import QFrame, QHBoxLayout

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.format import UNKNOWN, age, count, hours, milliseconds, rate, size
from earmark.app.dashboard.frame.status_words import word
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.panel import Reading
from earmark.app.looks import NEAR, SMALL, TIGHT

#: Seconds without growth after which a recording counts as stalled.
STALLED_S = 3.0
#: Limits of a healthy stream: age of the newest sample, s, and relative error of the sample rate.
MAX_AGE_S, MAX_RATE_ERROR = 0.5, 0.02
#: Hours of free disk space below which the figure turns red.
LOW_DISK_H = 1.0

#: Seconds of data after which the measured sample rate is reliable.
SETTLED_S = 10.0

OK, WARN, BAD = "ok", "warn", "bad"


class BottomBar(QFrame):
    """The status bar; each figure has a fixed width."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.stream = Reading(tr("Stream health"), tr("● NO DATA 000 s  (256 ch)"))
        self.rates = Reading(tr("Measured and nominal sample rate"), "1000.0/1000.0 Hz")
        self.latency = Reading(
            tr("Decision latency: median and 99th percentile, and the limit"), tr("lat 000/000 of 000 ms")
        )
        self.losses = Reading(
            tr("Gaps in streams, and decisions dropped because they were late"), tr("gaps 000 · late 000")
        )
        self.sound = Reading(tr("Sound"), tr("xruns 000"))
        self.record = Reading(tr("Recording"), tr("● REC STALLED 000.0 MB"))
        self.growth = Reading(tr("Data rate of the recording"), "+00.0 MB/s")
        self.disk = Reading(tr("Time until the disk is full"), tr("disk 000 days"))
        self._parts = (
            self.stream,
            self.rates,
            self.latency,
            self.losses,
            self.sound,
            self.record,
            self.growth,
            self.disk,
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(NEAR, TIGHT, NEAR, TIGHT)
        layout.setSpacing(NEAR)
        for k, part in enumerate(self._parts):
            theme.resize(part, SMALL)
            if k:
                layout.addStretch(1)
            layout.addWidget(part)
        self._levels: dict[Reading, tuple[str, str]] = {}
        self._bytes, self._grown = math.nan, math.nan

    def refresh(self, now: Snapshot) -> None:
        """Show the current values."""
        self._refresh_stream(now)
        self._refresh_latency(now)
        gaps = sum(max(0, one.n_gaps) for one in now.streams) if now.streams else -1
        level = WARN if gaps > 0 or now.n_dropped > 0 else OK
        self._show(
            self.losses, tr("gaps {gaps} · late {n_dropped}", gaps=count(gaps), n_dropped=count(now.n_dropped)), level
        )
        sound = now.sound
        if sound.failure:
            self._show(self.sound, tr("NO SOUND"), BAD)
        elif not sound.live:
            self._show(self.sound, tr("no sound") if not sound.playing else tr("NO DATA"), BAD if sound.playing else OK)
        else:
            self._show(self.sound, tr("xruns {xruns}", xruns=count(sound.xruns)), WARN if sound.xruns > 0 else OK)
        self._refresh_recording(now)

    def _refresh_stream(self, now: Snapshot) -> None:
        neural = next((one for one in now.streams if one.name == now.neural), None)
        if neural is None or not (now.engine_live or now.recording_now):
            self._show(self.stream, tr("no stream"), OK)
            self._show(self.rates, "", OK)
            return
        channels = tr("({n_channels} ch)", n_channels=count(neural.n_channels))
        if not now.engine_live:
            self._show(
                self.stream,
                tr("NO DATA {engine_age} {channels}", engine_age=age(now.engine_age), channels=channels),
                BAD,
            )
        elif neural.status not in ("live", ""):
            self._show(self.stream, f"● {word(neural.status).upper()} {channels}", BAD)
        else:
            old = not neural.age_s < MAX_AGE_S
            self._show(
                self.stream,
                tr("● {age_s} old {channels}", age_s=age(neural.age_s), channels=channels),
                WARN if old else OK,
            )
        settled = neural.n_samples > SETTLED_S * neural.nominal
        slow = settled and abs(neural.effective - neural.nominal) > MAX_RATE_ERROR * neural.nominal
        self._show(self.rates, f"{rate(neural.effective)}/{rate(neural.nominal)} Hz", WARN if slow else OK)

    def _refresh_latency(self, now: Snapshot) -> None:
        one = now.latency
        if one is None or not (now.engine_live or now.recording_now):
            self._show(self.latency, tr("lat {unknown}", unknown=UNKNOWN), OK)
            return
        budget = tr(" of {budget}", budget=milliseconds(one.budget)) if math.isfinite(one.budget) else ""
        late = math.isfinite(one.budget) and one.p99 > one.budget
        self._show(
            self.latency,
            tr("lat {p50}/{p99}{budget} ms", p50=milliseconds(one.p50), p99=milliseconds(one.p99), budget=budget),
            WARN if late else OK,
        )

    def _refresh_recording(self, now: Snapshot) -> None:
        one = now.recording
        if one is None or not now.recording_now:
            self._show(self.record, tr("not recording"), OK)
            self._show(self.growth, "", OK)
            self._bytes = math.nan
        else:
            if one.bytes != self._bytes:
                self._bytes, self._grown = one.bytes, now.time
            stalled = now.time - self._grown > STALLED_S or not now.session_live
            words = tr("STALLED ") if stalled else ""
            self._show(
                self.record,
                tr("● REC {words}{bytes}", words=words, bytes=size(one.bytes)),
                BAD if stalled or one.alarm else OK,
            )
            if one.alarm:
                self._show(self.growth, tr("ALARM"), BAD)
                self.growth.setToolTip(tip(one.alarm))
            else:
                self._show(self.growth, f"+{size(one.bytes_per_s)}/s", OK)
        if one is None:
            self._show(self.disk, "", OK)
        elif math.isfinite(one.hours_left):
            self._show(
                self.disk,
                tr("disk {hours_left}", hours_left=hours(one.hours_left)),
                BAD if one.hours_left < LOW_DISK_H else OK,
            )
        else:
            self._show(self.disk, tr("disk {free_bytes}", free_bytes=size(one.free_bytes)), OK)

    def _show(self, part: Reading, text: str, level: str) -> None:
        part.show_text(text)
        look = theme.of(self)
        if self._levels.get(part) != (level, look.name):
            self._levels[part] = (level, look.name)
            colour = {OK: look.text, WARN: look.warn, BAD: look.bad}[level]
            part.setStyleSheet(f"color: {colour};")  # bold would be wider
