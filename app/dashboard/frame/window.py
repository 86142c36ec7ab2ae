"""The main window: bars at top and bottom, pages between them, refreshed thirty times a second."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, QSettings, QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMainWindow,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from earmark.app.dashboard.data.command_link import Link
from earmark.app.dashboard.data.history import History
from earmark.app.dashboard.data.recent import Recent
from earmark.app.dashboard.data.recent_sessions import RecentSessions
from earmark.app.dashboard.data.snapshot import SILENT_S, Snapshot
from earmark.app.dashboard.data.source import Source
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.actions import key_actions
from earmark.app.dashboard.frame.bottom_bar import BottomBar
from earmark.app.dashboard.frame.confirm import confirm, loss_warning
from earmark.app.dashboard.frame.drop import Drops
from earmark.app.dashboard.frame.fault_bar import FaultBar
from earmark.app.dashboard.frame.icons import outline
from earmark.app.dashboard.frame.keys import KEYS, N_SHOWN, N_TALKERS, PAGE_WORDS, PAGES, EscapeMutes
from earmark.app.dashboard.frame.keys_help import KeysHelp
from earmark.app.dashboard.frame.markers import Markers
from earmark.app.dashboard.frame.menus import fill_menus, list_languages, list_screens
from earmark.app.dashboard.frame.next_button import NextButton
from earmark.app.dashboard.frame.notice import Notice
from earmark.app.dashboard.frame.picker import Picker
from earmark.app.dashboard.frame.recording_window import RecordingWindow, choose_recording
from earmark.app.dashboard.frame.top_bar import TopBar
from earmark.app.dashboard.frame.viewed import Viewed
from earmark.app.dashboard.language import LANGUAGES, SETTING, tr
from earmark.app.dashboard.launch.launcher import Launcher, home
from earmark.app.dashboard.launch.sessions import board_of
from earmark.app.dashboard.pages.calibration import Calibration
from earmark.app.dashboard.pages.live import Live
from earmark.app.dashboard.pages.participant import Participant
from earmark.app.dashboard.pages.review import Review
from earmark.app.dashboard.pages.setup import Setup
from earmark.app.dashboard.pages.start import Start
from earmark.app.dashboard.pages.study import Study
from earmark.app.dashboard.panels.event_list import EventsModel
from earmark.app.dashboard.panels.panel import View
from earmark.app.looks import APART, NEAR, TIGHT
from earmark.app.session.channel import Client, has_died
from earmark.kernels.errors import EarmarkError

logger = logging.getLogger(__name__)

#: Milliseconds between updates of the traces; everything else is updated at every second tick.
TICK_MS = 33


class Window(QMainWindow):
    """Shows one session, or the start page.

    Parameters
    ----------
    settings : QSettings
        Stores layout, theme and the last session.
    folder : Path or None
        Folder of the session to show; None for the start page.
    """

    def __init__(self, settings: QSettings, folder: Path | None = None) -> None:
        super().__init__()
        self.setObjectName("window")
        self.setWindowTitle("Earmark")
        self.settings = settings
        self.recent_sessions = RecentSessions(settings)
        self.folder: Path | None = None
        self._out: Path | None = None  # where the recordings of the session are
        self.source: Source | None = None
        self.link: Link | None = None
        self.viewed = Viewed()
        self.now, self.history, self.recent = Snapshot(), History(), Recent()
        #: Number of ticks, and of samples that this window lost.
        self.frames, self.lost = 0, 0
        self._mute_failed, self._closing, self._last_data_at = "", False, 0.0
        self._kind = ""  # of the session, also after its end
        self._waiting = QTimer(self)  # runs while the window waits for the end of a recording, to close then
        self._waiting.setInterval(200)
        self._waiting.timeout.connect(self._close_when_ended)
        self.events = EventsModel()
        self.top, self.bottom = TopBar(), BottomBar()
        self.notice, self.next, self.faults = Notice(), NextButton(self), FaultBar()
        self.start, self.setup, self.live = Start(), Setup(), Live(self.events)
        self.calibration, self.review, self.study = Calibration(), Review(), Study(settings)
        self.pages = QStackedWidget()
        self.participant = Participant()
        self._picker, self.keys = Picker(self, choose=False), KeysHelp(self)
        self.markers = Markers(self, settings)
        self._lay_out()
        self.launcher = Launcher(self)
        self.launcher.shown = lambda: (self.folder, self.now.at_stake)
        self._make_actions()
        self._connect_signals()
        self.escape = EscapeMutes(self)
        self.escape.pressed.connect(lambda: self.mute(True))
        QApplication.instance().installEventFilter(self.escape)  # type: ignore[union-attr]
        self.launcher.ready.connect(lambda name: self.attach(Path(name)))
        self.launcher.ready.connect(self.start.close_form)
        self.launcher.picked.connect(self.view)
        self.start.recent.opened.connect(self.launcher.reopen)
        self.drops = Drops(self)
        self.launcher.message.connect(self.start.show_message)
        self.launcher.replaying.connect(lambda name, run: self.attach(Path(name), Path(run)))
        self.resize(1280, 720)
        self._restore()
        self.go("start")
        if folder is not None:
            self.attach(folder)
        self.timer = QTimer(self)
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self.tick)
        self.timer.start(TICK_MS)

    # Construction

    def _lay_out(self) -> None:
        rail = QVBoxLayout()
        rail.setSpacing(TIGHT)
        self._rail: dict[str, QToolButton] = {}
        pages = (self.start, self.setup, self.live, self.calibration, self.review, self.study)
        rail_px = max(72, *(self.fontMetrics().horizontalAdvance(words) + APART for words in PAGE_WORDS.values()))
        for page, widget in zip(PAGES, pages, strict=True):
            self.pages.addWidget(widget)
            button = QToolButton()
            button.setText(PAGE_WORDS[page])
            button.setCheckable(True)
            button.setAccessibleName(tr("Page: {page}", page=PAGE_WORDS[page]))
            button.setToolTip(f"{PAGE_WORDS[page]} ({KEYS[page].keys})")
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setIconSize(QSize(20, 20))
            button.setFixedSize(rail_px, 48)
            button.clicked.connect(lambda _=False, page=page: self.go(page))
            rail.addWidget(button)
            self._rail[page] = button
        rail.addStretch(1)
        self._colour_icons()
        middle = QHBoxLayout()
        middle.setSpacing(NEAR)
        middle.addLayout(rail)
        middle.addWidget(self.pages, 1)
        line = QHBoxLayout()
        line.addWidget(self.notice, 1)
        line.addWidget(self.next)
        whole = QWidget()
        layout = QVBoxLayout(whole)
        layout.setContentsMargins(NEAR, TIGHT, NEAR, TIGHT)
        layout.setSpacing(TIGHT)
        layout.addWidget(self.top)
        layout.addLayout(line)
        layout.addWidget(self.faults)
        layout.addLayout(middle, 1)
        layout.addWidget(self.bottom)
        self.setCentralWidget(whole)

    def _make_actions(self) -> None:
        self.actions_by_key, menus = fill_menus(self, key_actions(self))
        self.markers.name(self.actions_by_key)
        self.actions_by_key["lock"].toggled.connect(self.live.lock_layout)
        view = menus[KEYS["participant"].menu]
        panels = view.addMenu(tr("P&anels"))
        for dock in self.live.docks.values():
            panels.addAction(dock.toggleViewAction())
        screens = view.addMenu(tr("Displa&y of the participant screen"))
        screens.aboutToShow.connect(lambda: list_screens(screens, self._open_participant))
        list_languages(view.addMenu(tr("Lan&guage")), self._choose_language)

    def _connect_signals(self) -> None:
        for asker in (self.live, self.setup, self.calibration, self.review, self.markers, self.faults):
            asker.command_requested.connect(self.send)
        self.setup.page_requested.connect(self.go)
        self.calibration.page_requested.connect(self.go)
        self.live.message.connect(lambda words: self.show_message(words, hold=True))
        self.live.controls.review_requested.connect(self.show_result)
        self.review.scored.connect(self._show_scored)
        self.study.run_requested.connect(lambda run: self.show_run(Path(run)))
        self.top.mute_requested.connect(self.mute)
        self.live.streams.search_requested.connect(self._find_streams)
        self.setup.streams.search_requested.connect(self._find_streams)
        self.start.chosen.connect(self._choose)
        self.start.form.created.connect(self._create)
        self.participant.command_requested.connect(self.send)
        self.participant.unreadable.connect(lambda words: confirm(self, tr("Participant screen"), words, {}, "OK"))

    def _choose_language(self, code: str) -> None:
        self.settings.setValue(SETTING, code)
        self.show_message(tr("{language} from the next time this window is opened", language=LANGUAGES[code]))

    def _choose(self, how: str) -> None:
        last = self.settings.value("session/last")
        match how:
            case "new":
                self._new_session()
            case "demo":
                self.launcher.demo()
            case "connect":
                self.launcher.connect_stream()
            case "replay":
                self.launcher.replay()
            case "look":
                choose_recording(self, self.settings)
            case "reopen":
                self.launcher.reopen(Path(str(last)) if last else None)

    def _new_session(self, stream: dict | None = None) -> None:
        """Show the form of a new session, for the stream that is looked at, if any."""
        stream = stream or self.viewed.stream
        self.start.open_form(
            Path(str(self.settings.value("session/study") or self.settings.value("study/folder") or home())), stream
        )

    def _create(self, folder: Path, settings: dict, plan: dict) -> None:
        self.settings.setValue("session/study", str(folder.parent.parent))
        self.study.take(folder.parent.parent)
        self.viewed.keep_bads(settings)
        self.launcher.create(folder, settings, plan, self.start.form.simulated)

    # The session

    def attach(self, folder: Path, replayed: Path | None = None) -> None:
        """Show the session of a folder, now or once it starts; ``replayed`` is the run of our own replay."""
        self.detach()
        self.folder = folder
        if replayed is None:
            self.launcher.end_replay()
            self.settings.setValue("session/last", str(folder))
            self.recent_sessions.add(folder)
        self.review.choose(replayed)
        if replayed is None:
            self._out = folder
            self.review.follow(folder)
        self.setWindowTitle(f"{folder.name} – Earmark")
        self.source = Source(lambda: board_of(folder), lambda: has_died(folder))
        self.link = Link(lambda: Client(folder), EarmarkError, self)
        self.link.refused.connect(self._refused)
        self.link.answered.connect(self._answered)
        logger.info("showing %s", folder)
        over = not board_of(folder) and self.review.recorded
        self.go("review" if over else "live")

    def view(self, stream: dict) -> None:
        """Show a stream without a session."""
        if self.launcher.keeps_earlier():
            return
        self.detach()
        self.start.close_form()
        self.launcher.end_replay()
        try:
            view = self.viewed.open(stream)
        except (EarmarkError, OSError) as error:
            self.start.show_message(str(error))
            return
        self.setWindowTitle(f"{stream['name']} – Earmark")
        self.source = Source(lambda: view.board)
        self.link = Link(lambda: view, EarmarkError, self)
        self.link.refused.connect(self._refused)
        self.link.answered.connect(self._answered)
        self.go("live")

    def detach(self) -> None:
        """Stop showing the session."""
        if self.source is not None:
            self.source.close()
        if self.link is not None:
            self.link.close()
        self.viewed.close()
        self.source, self.link, self.folder, self._out = None, None, None, None
        self._mute_failed = self._kind = ""
        self._waiting.stop()
        self.live.replay.reset()
        self.notice.reset()
        self.next.forget()
        self.now, self.history, self.recent = Snapshot(), History(), Recent()

    def send(self, command: str, args: dict | None = None) -> None:
        """Send a command, after a confirmation if it loses data."""
        if self.link is None:
            self.show_message(
                tr("{command}: no session is open. Start one on the start page (Ctrl+0)", command=command)
            )
            return
        link, warning = self.link, loss_warning(command, self.now)
        if warning is None:
            link.send(command, args)
        else:
            what, words = warning
            confirm(self, f"{what}?", words, {what: lambda: link.send(command, args)})

    def mute(self, on: bool) -> None:
        """Mute or unmute."""
        self._mute_failed = ""
        self.send("mute", {"on": on})

    def _refused(self, command: str, words: str) -> None:
        if command == "mute":
            self._mute_failed = words
        elif command == "stop":
            self._waiting.stop()
        elif command == "answer":
            self.participant.answers.allow_again()
        self.show_message(f"{command}: {words}", bad=True)

    def _answered(self, command: str, _: dict) -> None:
        if command == "mute":
            self._mute_failed = ""
        elif command == "attend":
            self.show_message(
                tr("The simulated listener now attends to the talker you clicked: gains will follow within seconds"),
                hold=True,
            )

    def show_message(self, text: str, bad: bool = False, hold: bool = False) -> None:
        """Show a message below the top bar; with ``bad`` or ``hold`` no event replaces it for some seconds."""
        self.notice.show_message(text, bad, hold)

    # Refreshing

    def tick(self) -> None:
        """Read and show new data. After a stall, jump to the newest."""
        self.frames += 1
        reader = samples = None
        if self.source is not None:
            if self.frames % 2:
                self.now = self.source.read()
                self.history.refresh(self.now)
            reader = self.source.signal
        now = self.now
        if reader is not None:
            samples = reader.read()
            self.lost += samples.lost
            if (self.recent.sfreq, self.recent.n_channels) != (reader.ring.sfreq, reader.ring.n_channels):
                self.recent = Recent(reader.ring.sfreq, reader.ring.n_channels)
            self.recent.add(samples)
            if len(samples.data):
                self._last_data_at = time.monotonic()
        if time.monotonic() - self._last_data_at > SILENT_S:
            self.recent.clear()  # old data would look live
        self.live.traces.update_signal(samples, reader, now)
        if self.frames % 2 == 0:
            return
        new = self.events.append_new(now.events)
        if new:
            self.live.traces.mark(new)
            if not self.notice.held:
                self.show_message(new[-1].text)
        if self.notice.refresh(now, self.folder):
            self.history = History()
        if now.out and now.session_live:
            self._out = Path(now.out)
        if self._out is not None:  # also after the session has ended, since its last run may not be listed yet
            self.review.follow(self._out)
        self.review.score_when_free(now)
        self.study.give_way(now)
        self.live.controls.recorded = self.review.recorded
        for k in range(N_SHOWN, N_TALKERS):
            for kind in ("solo", "mute", "trim"):
                self.actions_by_key[f"{kind}{k + 1}"].setVisible(k < len(now.talkers))
        self.top.refresh(now, self._mute_failed)
        self.bottom.refresh(now)
        self.faults.refresh(now)
        if now.session_live:
            self._kind = now.kind
        if self.participant.isVisible():
            self.participant.refresh(now)
        page = self.pages.currentWidget()
        if isinstance(page, Live | Setup | Calibration | Review | Study):
            page.refresh(View(now, self.history, self.recent))
        self.next.refresh()

    # Pages, colours, windows

    def go(self, page: str) -> None:
        """Show a page."""
        self.pages.setCurrentIndex(PAGES.index(page))
        if page == "start":
            self.start.recent.show_sessions(self.recent_sessions)
        for name, button in self._rail.items():
            button.setChecked(name == page)

    def show_result(self) -> None:
        """Show the page Review, and score the newest run unless a recording or training is in progress."""
        self.go("review")
        self.review.score_newest()

    def _show_scored(self, run: Path, words: str) -> None:
        self.show_message(f"{run.name}: {words}", hold=True)
        if self.folder is not None and run.parent == Path(os.path.realpath(self.folder)):
            self.recent_sessions.say(self.folder, f"{run.name}: {words}")
        if self._kind == "demo":  # it ends on its result
            self.go("review")

    def show_run(self, run: Path) -> None:
        """Open the session of a recorded run, and show that run on the page Review."""
        self.attach(run.parent)
        self.go("review")
        self.review.show_run(run)

    def focus(self, widget: QWidget) -> None:
        self.go("live")
        widget.setFocus()

    def note(self) -> None:
        self.go("live")
        self.live.docks["events"].show()
        self.live.docks["events"].raise_()
        self.live.events.note.setFocus()

    def trim(self, talker: int) -> None:
        """Move the keyboard focus to a talker's trim."""
        self.go("live")
        self.live.docks["meters"].show()
        self.live.docks["meters"].raise_()
        self.live.meters.focus_trim(talker)

    def toggle_theme(self) -> None:
        chosen = theme.LIGHT if theme.of(self) is theme.DARK else theme.DARK
        self.settings.setValue("theme", chosen.name)
        theme.apply(QApplication.instance(), chosen)  # type: ignore[arg-type]

    def _colour_icons(self) -> None:
        for page, button in self._rail.items():
            button.setIcon(outline(page, theme.of(self).text))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._colour_icons()

    def _open_participant(self, name: str) -> None:
        self.settings.setValue("participant/screen", name)
        self.participant.refresh(self.now)
        self.participant.open_on(name, self)

    def toggle_participant(self) -> None:
        if self.participant.isVisible():
            self.participant.hide()
            self.raise_()
            self.activateWindow()
        else:
            self._open_participant(str(self.settings.value("participant/screen") or ""))

    def _find_streams(self) -> None:
        self._picker.show()
        self._picker.search()

    # Settings and closing

    def _restore(self) -> None:
        geometry = self.settings.value("geometry")
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
        self.live.restore_layout(self.settings)

    def closeEvent(self, event: QCloseEvent) -> None:
        launched = self.launcher.launched
        own = launched is not None and launched.folder == self.folder
        practice = own and self.now.kind in ("demo", "rehearsal")  # it lasts as long as this window
        if self.now.at_stake and not (self._closing or practice):
            event.ignore()
            if self.now.state == "training":
                words = tr("Training continues if you close this window. ")
                words += tr("'earmark dashboard {folder}' shows it again.", folder=self.folder)
                confirm(
                    self, tr("A decoder is being trained"), words, {tr("Close; the session continues"): self.close_now}
                )
                return
            confirm(
                self,
                tr("A recording is in progress"),
                tr(
                    "Sound, decisions and recording continue if you close this window. 'earmark dashboard "
                    "{folder}' shows it again.",
                    folder=self.folder,
                ),
                {
                    tr("Close; the session continues"): self.close_now,
                    tr("End the recording, then close"): self._end_and_close,
                },
            )
            return
        self.timer.stop()
        self.settings.setValue("geometry", self.saveGeometry())
        self.live.save_layout(self.settings)
        self.settings.sync()
        self.launcher.close(practice)
        self.participant.close()
        self.start.form.end()
        for recording in self.findChildren(RecordingWindow):
            recording.close()
        for panel in (*self.live.panels, self.setup, self.review, self.study):
            panel.end()
        QApplication.instance().removeEventFilter(self.escape)  # type: ignore[union-attr]
        self.detach()
        event.accept()

    def close_now(self) -> None:
        """Close without a confirmation; the session continues."""
        self._closing = True
        self.close()

    def _end_and_close(self) -> None:
        if self.link is None:
            return
        self.show_message(tr("Ending the recording …"))
        self.link.send("stop")
        self._waiting.start()

    def _close_when_ended(self) -> None:
        if not self.now.under_way:
            self._waiting.stop()
            self.close_now()
