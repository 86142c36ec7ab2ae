"""Page: the running session in movable panels, with the controls of a run."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSettings, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDockWidget,
    QHBoxLayout,
    QMainWindow,
    QPushButton,
    QTabBar,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame.question import Question
from earmark.app.dashboard.frame.replay_bar import ReplayBar
from earmark.app.dashboard.frame.spin_box import NumberBox
from earmark.app.dashboard.frame.status_words import word
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.attention import Attention
from earmark.app.dashboard.panels.event_list import EventsModel
from earmark.app.dashboard.panels.events import Events
from earmark.app.dashboard.panels.evidence import Evidence
from earmark.app.dashboard.panels.latency import Latency
from earmark.app.dashboard.panels.log import Log
from earmark.app.dashboard.panels.meters import Meters
from earmark.app.dashboard.panels.panel import Panel, Reading, View
from earmark.app.dashboard.panels.quality import ChannelQuality
from earmark.app.dashboard.panels.scene import ScenePanel
from earmark.app.dashboard.panels.spectrum import Spectrum
from earmark.app.dashboard.panels.streams import Streams
from earmark.app.dashboard.panels.time_axis import TimeCursor
from earmark.app.dashboard.panels.topomap import Topomap
from earmark.app.dashboard.panels.traces import Traces
from earmark.app.looks import NEAR, TIGHT
from earmark.app.training.worth import no_better

#: Raise this when a change of panels makes saved layouts unusable.
LAYOUT_VERSION = 2
LAYOUT = "live/layout"
#: Modes of a run, and their descriptions.
MODES = (
    ("closed", tr("closed loop: decisions set the gains")),
    ("open", tr("open loop")),
    ("sham", tr("sham: the other is favoured")),
)


class Controls(QWidget):
    """Run, pause and stop.

    Attributes
    ----------
    command_requested : Signal(str, dict)
        A command to send, and its arguments.
    review_requested : Signal()
        The operator wants to see the result of the last run.
    """

    command_requested = Signal(str, dict)
    review_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._paused = False
        #: Whether the session has a recorded run to review.
        self.recorded = False
        self.mode = QComboBox()
        self.mode.setAccessibleName(tr("Mode of the run"))
        for key, words in MODES:
            self.mode.addItem(word(key), key)
            self.mode.setItemData(self.mode.count() - 1, words, Qt.ItemDataRole.ToolTipRole)
        self.seconds = NumberBox(tr("Length of the run in seconds; 0 takes the length of the protocol"))
        self.seconds.setRange(0, 86400)
        self.seconds.setDecimals(0)
        self.seconds.setSuffix(" s")
        self.seconds.setSpecialValueText(tr("as planned"))
        self.run, self.pause, self.stop = QPushButton(tr("&Run")), QPushButton(tr("&Pause")), QPushButton(tr("S&top"))
        for button, name in (
            (self.run, tr("Run (Ctrl+R)")),
            (self.pause, tr("Pause or resume (Ctrl+P)")),
            (self.stop, tr("Stop")),
        ):
            button.setAccessibleName(name)
            button.setToolTip(name)
            button.setEnabled(False)  # until the first snapshot
        self.pause.setFixedWidth(self.pause.fontMetrics().horizontalAdvance(tr("Resume")) + 28)
        self.result = QPushButton(tr("See the r&esult"))
        self.result.setAccessibleName(tr("See the result of the last run"))
        self.result.setToolTip(tr("Score the last run on the page Review (Ctrl+4)"))
        self.result.clicked.connect(self.review_requested)
        self.result.hide()
        self._cue = Reading(tr("Cue"), "")
        self.question = Question()
        self.question.command_requested.connect(self.command_requested)
        self.run.clicked.connect(self._run)
        self.pause.clicked.connect(lambda: self.command_requested.emit("resume" if self._paused else "pause", {}))
        self.stop.clicked.connect(lambda: self.command_requested.emit("stop", {}))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(NEAR, TIGHT, NEAR, TIGHT)
        for widget in (self.mode, self.seconds, self.run, self.pause, self.stop, self.result):
            layout.addWidget(widget)
        layout.addWidget(self._cue, 1)
        layout.addWidget(self.question, 1)

    def _run(self) -> None:
        self.seconds.interpretText()
        seconds = self.seconds.value()
        self.command_requested.emit("run", {"mode": self.mode.currentData(), "seconds": seconds or None})

    def refresh(self, now: Snapshot) -> None:
        """Enable the controls that are possible now, and show the cue."""
        live = now.session_live
        self.question.refresh(now)
        self._cue.setVisible(not self.question.isVisibleTo(self))  # the question takes the place of the cue
        running = live and now.state in ("running", "paused")
        again = now.state in ("idle", "review") and now.decoder  # the checks run first
        self.run.setEnabled(live and now.supports("run") and (now.state == "ready" or again))
        self.mode.setEnabled(self.run.isEnabled())
        self.seconds.setEnabled(self.run.isEnabled())
        self.pause.setEnabled(running)
        self._paused = now.state == "paused"
        self.pause.setText(tr("Resume") if self._paused else tr("&Pause"))
        self.stop.setEnabled(live and now.under_way)
        over = self.recorded and not now.at_stake and now.state != "checking" and (now.state == "review" or not live)
        self.result.setVisible(over)
        if not (running or now.state == "calibrating"):
            self._cue.show_text(self._between(now) if live else "")
            return
        if now.ending:
            self._cue.show_text(tr("Completing the recording"))
            return
        if now.waiting:
            self._cue.show_text(tr("The next trial waits: {waiting}", waiting=now.waiting))
            return
        follows = tr(", {next_cue_s:.0f} s left", next_cue_s=now.next_cue_s) if now.next_cue_s == now.next_cue_s else ""
        self._cue.show_text(tr("Cue: {attend}{follows}", attend=now.attend or tr("rest"), follows=follows))

    def _between(self, now: Snapshot) -> str:
        """Describe the state between recordings."""
        summary = now.decoder_summary
        bad = summary is not None and no_better(summary.accuracy, summary.chance_limit)
        if bad and now.state in ("review", "idle") and now.trained:  # only a session that is ready can discard it
            return tr(
                "The decoder is no better than guessing: check everything (F7), discard the decoder, "
                "then calibrate again (Ctrl+3)"
            )
        if bad and now.state in ("ready", "review", "idle"):
            return tr("The decoder is no better than guessing: calibrate again (Ctrl+3)")
        match now.state:
            case "ready":
                return tr("Ready to run")
            case "checking":
                return tr("Checking")
            case "training":
                return tr("Training the decoder")
            case "review" if self.run.isEnabled():
                return tr("Run finished. Run repeats the checks, then starts another")
        return ""


class Live(QWidget):
    """The live page.

    Attributes
    ----------
    command_requested : Signal(str, dict)
        A command to send, and its arguments.
    message : Signal(str)
        A message to the operator.
    """

    command_requested = Signal(str, dict)
    message = Signal(str)

    def __init__(self, events: EventsModel) -> None:
        super().__init__()
        self.traces, self.controls, self.replay = Traces(), Controls(), ReplayBar()
        self.meters, self.events, self.streams = Meters(), Events(events), Streams()
        self.spectrum, self.quality, self.topomap, self.log = Spectrum(), ChannelQuality(), Topomap(), Log()
        self.scene = ScenePanel()
        self.panels: tuple[Panel, ...] = (
            Attention(), Evidence(), self.scene, self.meters, self.topomap, self.quality, self.spectrum, Latency(),
            self.events, self.streams, self.log,
        )  # fmt: skip
        self.time_cursor = TimeCursor(self)
        self.area = QMainWindow()
        self.area.setWindowFlags(Qt.WindowType.Widget)
        self.area.setDockOptions(
            QMainWindow.DockOption.AllowNestedDocks
            | QMainWindow.DockOption.AllowTabbedDocks
            | QMainWindow.DockOption.GroupedDragging
        )
        for area in (Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea):
            self.area.setTabPosition(area, QTabWidget.TabPosition.North)
        self.area.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        self.area.setCentralWidget(self.traces)
        self.docks: dict[str, QDockWidget] = {}
        self._seen: set[str] = set()
        for panel in self.panels:
            dock = QDockWidget(panel.title, self.area)
            dock.setObjectName(f"dock-{panel.key}")
            dock.setWidget(panel)
            dock.setAccessibleName(panel.title)
            # isVisible() is True for a dock behind another tab; this signal tells the difference.
            dock.visibilityChanged.connect(lambda on, key=panel.key: self._show(key, on))
            self.docks[panel.key] = dock
            panel.command_requested.connect(self.command_requested)
            panel.share(self.time_cursor)
        self.traces.share(self.time_cursor)
        self.events.jump_requested.connect(self.jump)
        events.modelReset.connect(self.traces.forget_events)
        self._arrange()
        self._default = self.area.saveState(LAYOUT_VERSION)
        self.controls.command_requested.connect(self.command_requested)
        self.replay.command_requested.connect(self.command_requested)
        self.traces.command_requested.connect(self.command_requested)
        self.traces.chosen.connect(self._choose)
        self.quality.chosen.connect(self._choose)
        self.topomap.chosen.connect(self._choose)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.controls)
        layout.addWidget(self.replay)
        layout.addWidget(self.area, 1)
        self._fresh = True
        self._due: dict[str, float] = {}

    def _arrange(self) -> None:
        right, bottom = Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea
        docks, area = self.docks, self.area
        for key in ("attention", "topomap", "latency"):
            area.addDockWidget(right, docks[key])
        for below, others in (("attention", ("evidence",)), ("topomap", ("quality", "spectrum", "scene"))):
            for other in others:
                area.tabifyDockWidget(docks[below], docks[other])
        for key in ("meters", "events"):
            area.addDockWidget(bottom, docks[key])
        area.splitDockWidget(docks["meters"], docks["events"], Qt.Orientation.Horizontal)
        for other in ("streams", "log"):
            area.tabifyDockWidget(docks["events"], docks[other])
        for key in ("attention", "topomap", "events"):
            docks[key].raise_()
        self._proportion(1200, 560)

    def _proportion(self, width: int, height: int) -> None:
        docks, area = self.docks, self.area
        area.resizeDocks([docks["attention"]], [max(300, width // 4)], Qt.Orientation.Horizontal)
        area.resizeDocks([docks["meters"]], [max(190, min(236, height * 2 // 5), height // 4)], Qt.Orientation.Vertical)
        area.resizeDocks([docks["meters"], docks["events"]], [400, 360], Qt.Orientation.Horizontal)
        right = [docks[key] for key in ("attention", "topomap", "latency")]
        area.resizeDocks(right, [height * 35 // 100, height * 36 // 100, height * 29 // 100], Qt.Orientation.Vertical)

    def _choose(self, name: str) -> None:
        self.spectrum.choose(name)
        self.traces.choose(name)

    def _show(self, key: str, on: bool) -> None:
        (self._seen.add if on else self._seen.discard)(key)

    def jump(self, time: float) -> None:
        """Show an LSL time in all plots; the traces are frozen there."""
        if not self.traces.jump(time):
            self.message.emit(tr("The traces of that time are no longer kept; see the run on the page Review (Ctrl+4)"))
        self.time_cursor.point(time)

    def refresh(self, view: View) -> None:
        """Refresh every panel that is visible and due."""
        now = view.now
        self.time_cursor.origin = now.time - now.elapsed if now.kind == "replay" else view.history.begin
        self.controls.refresh(now)
        self.replay.refresh(now)
        for panel in self.panels:
            if panel.key in self._seen and view.now.time >= self._due.get(panel.key, 0.0):
                self._due[panel.key] = view.now.time + 1 / panel.hz - 0.005
                panel.refresh(view)

    # Layout

    def reset_layout(self) -> None:
        """Restore the default layout."""
        for dock in self.docks.values():
            dock.setFloating(False)
        self.area.restoreState(self._default, LAYOUT_VERSION)
        self._proportion(self.area.width(), self.area.height())
        QTimer.singleShot(0, self._hide_stale_bars)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._fresh:  # sizes are known only now
            self._fresh = False
            QTimer.singleShot(0, lambda: self._proportion(self.area.width(), self.area.height()))
        QTimer.singleShot(0, self._hide_stale_bars)

    def _hide_stale_bars(self) -> None:
        """Hide tab bars that Qt no longer moves with their docks: it leaves some visible when it replaces them."""
        docks = {dock.windowTitle(): dock for dock in self.docks.values()}
        for bar in self.area.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
            dock = docks.get(bar.tabText(bar.currentIndex()))
            above = dock is not None and (bar.x(), bar.width()) == (dock.x(), dock.width())
            if not above or dock is None or abs(dock.y() - bar.y() - bar.height()) > 1:
                bar.hide()

    def lock_layout(self, on: bool) -> None:
        """Lock or unlock the positions of panels."""
        feature = QDockWidget.DockWidgetFeature
        free = feature.DockWidgetClosable | feature.DockWidgetMovable | feature.DockWidgetFloatable
        for dock in self.docks.values():
            dock.setFeatures(feature.NoDockWidgetFeatures if on else free)

    def save_layout(self, settings: QSettings) -> None:
        """Save the layout and the settings of the traces."""
        self.traces.save(settings)
        settings.setValue(LAYOUT, self.area.saveState(LAYOUT_VERSION))

    def restore_layout(self, settings: QSettings) -> None:
        """Restore the saved layout and settings of the traces, if there are any."""
        self.traces.restore(settings)
        state = settings.value(LAYOUT)
        if isinstance(state, QByteArray):
            self._fresh = not self.area.restoreState(state, LAYOUT_VERSION)
