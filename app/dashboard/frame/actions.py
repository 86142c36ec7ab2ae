"""The action of each key of the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from earmark.app.dashboard.frame.about import show_about
from earmark.app.dashboard.frame.keys import N_TALKERS, PAGES
from earmark.app.dashboard.frame.markers import N_MARKERS

if TYPE_CHECKING:
    from earmark.app.dashboard.frame.window import Window
    from earmark.app.dashboard.panels.traces import Traces


def trace_actions(traces: Traces) -> dict[str, Callable[[], object]]:
    """Return the functions to call that change how traces are shown, indexed as :func:`key_actions`."""
    return {
        "larger": lambda: traces.zoom(1),
        "smaller": lambda: traces.zoom(-1),
        "shorter": lambda: traces.step_length(-1),
        "longer": lambda: traces.step_length(1),
        "filter": traces.next_band,
        "page": traces.next_page_size,
        "before": lambda: traces.turn_page(-1),
        "after": lambda: traces.turn_page(1),
    }


def key_actions(window: Window) -> dict[str, Callable[[], object]]:
    """Return the functions to call, indexed as :data:`earmark.app.dashboard.frame.keys.KEYS`."""
    return {
        **{page: lambda page=page: window.go(page) for page in PAGES},  # type: ignore[misc]
        **{
            f"solo{k + 1}": lambda k=k: window.send("override", {"talker": k})  # type: ignore[misc]
            for k in range(N_TALKERS)
        },
        **{f"mute{k + 1}": lambda k=k: window.live.meters.silence(k) for k in range(N_TALKERS)},  # type: ignore[misc]
        **{f"trim{k + 1}": lambda k=k: window.trim(k) for k in range(N_TALKERS)},  # type: ignore[misc]
        "next": window.next.click,
        **{f"marker{k}": lambda k=k: window.markers.press(k) for k in range(1, N_MARKERS + 1)},  # type: ignore[misc]
        "markers": window.markers.show,
        "rehearse": window.launcher.choose_rehearsal,
        "check": lambda: window.send("check"),
        "run": window.live.controls.run.click,
        "pause": window.live.controls.pause.click,
        "stop": lambda: window.send("stop"),
        "note": window.note,
        "close": window.close,
        "mute": lambda: window.mute(True),
        "toggle": lambda: window.mute(not window.now.muted),
        "equal": lambda: window.send("override", {"talker": "equal"}),
        "decode": lambda: window.send("override", {"talker": None}),
        "freeze": window.live.traces.freeze.toggle,
        **trace_actions(window.live.traces),
        "mode": lambda: window.focus(window.live.controls.mode),
        "length": lambda: window.focus(window.live.controls.seconds),
        "participant": window.toggle_participant,
        "theme": window.toggle_theme,
        "reset": window.live.reset_layout,
        "help": window.keys.toggle,
        "about": lambda: show_about(window),
    }
