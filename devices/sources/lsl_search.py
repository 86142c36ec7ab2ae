"""Find LSL streams, tell them apart, and find a lost stream again."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pylsl

from earmark.devices.processes.limits import files_are_used_up
from earmark.devices.sources.lsl_description import StreamDescription, StreamError

#: Polling interval in seconds: how soon Ctrl-C is obeyed.
LOOK_S = 0.02
#: Seconds from the start of a search after which every stream has had the chance to answer: liblsl queries known peers,
#: and the ports of this machine, half a second after its multicast query.
SETTLE_S = 0.7
#: Seconds for which a stream that no longer answers is still listed.
FORGET_S = 3.0
#: A search for all streams lasts this many times its wait, at most, if further ones keep answering.
LONGEST = 5
#: What pylsl generates where a sender sets no source_id: a hash that differs in every process.
_DRAWN = re.compile(r"-?\d{15,20}")


@dataclass(frozen=True, slots=True)
class StreamSelector:
    """Criteria for a stream: every field that is not empty must match exactly.

    Attributes
    ----------
    name, type, source_id, host : str
        Values declared by the stream, and the name of the computer that sends it.
    """

    name: str = ""
    type: str = ""
    source_id: str = ""
    host: str = ""

    def _fields(self) -> list[tuple[str, str]]:
        fields = (("name", self.name), ("type", self.type), ("source_id", self.source_id), ("host", self.host))
        return [(key, value) for key, value in fields if value]

    def predicate(self) -> str:
        """The selector in LSL's query language.

        Raises
        ------
        StreamError
            If a value cannot be written in that language.
        """
        lsl = {"host": "hostname"}
        return " and ".join(f"{lsl.get(key, key)}={_quote(value)}" for key, value in self._fields())

    def fits(self, info: pylsl.StreamInfo) -> bool:
        """Whether a stream matches."""
        said = {"name": info.name(), "type": info.type(), "source_id": info.source_id(), "host": info.hostname()}
        return all(said[key] == value for key, value in self._fields())

    def __str__(self) -> str:
        return ", ".join(f"{key} {value!r}" for key, value in self._fields()) or "any stream"


def _quote(value: str) -> str:
    # XPath 1.0 has no escape: a value with both kinds of quote cannot be written.
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value:
        return f'"{value}"'
    raise StreamError(f"a stream cannot be looked up by {value!r}: it has both kinds of quotation mark")


class Search:
    """One continuous search on a thread of liblsl, from construction until it is closed.

    Repeated short searches would each start anew: liblsl queries in several waves, and streams that answer a later one
    would never be found.

    Parameters
    ----------
    selector : StreamSelector
        Which streams to find; an empty selector finds all.
    stop : threading.Event, optional
        Once set, all waits end.

    Raises
    ------
    StreamError
        If the search cannot be started.
    """

    def __init__(self, selector: StreamSelector, stop: threading.Event | None = None) -> None:
        self._selector, self._begun, self._stop = selector, time.monotonic(), stop or threading.Event()
        try:
            self._resolver: Any = pylsl.ContinuousResolver(pred=selector.predicate() or None, forget_after=FORGET_S)
        except RuntimeError as error:
            why = files_are_used_up() or "See 'earmark doctor'"
            raise StreamError(f"no search for LSL streams could be started: {error} {why}") from None

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the search."""
        self._resolver = None

    @property
    def given_up(self) -> bool:
        """Whether all waits must end."""
        return self._stop.is_set()

    @property
    def settled(self) -> bool:
        """Whether every stream has had the chance to answer."""
        return time.monotonic() - self._begun > SETTLE_S

    def found(self) -> list[pylsl.StreamInfo]:
        """Return the streams that answer now and match."""
        return [info for info in self._resolver.results() if self._selector.fits(info)]  # some streams answer any query

    def wait(self, timeout: float, at_least: int = 0) -> list[pylsl.StreamInfo]:
        """Return the streams found within ``timeout`` seconds, or as soon as there are ``at_least`` (if not 0)."""
        end = time.monotonic() + timeout
        while True:
            found = self.found()
            left = end - time.monotonic()
            if left <= 0 or 0 < at_least <= len(found) or self._stop.wait(min(LOOK_S, left)):
                return found


def find_streams(selector: StreamSelector, timeout: float, at_least: int = 0) -> list[pylsl.StreamInfo]:
    """Search for streams on the network.

    Parameters
    ----------
    selector : StreamSelector
        Which streams to find; an empty selector finds all.
    timeout : float
        Maximum wait in seconds; without ``at_least``, the wait for a first stream and for each further one.
    at_least : int
        Return as soon as this many are found; 0 returns all, once no further one has answered for ``timeout``
        seconds, or after ``LONGEST`` times as long.

    Returns
    -------
    list of pylsl.StreamInfo

    Raises
    ------
    StreamError
        If the search cannot be started.
    """
    with Search(selector) as search:
        if at_least:
            return search.wait(timeout, at_least)
        found: list[pylsl.StreamInfo] = []
        now = time.monotonic()
        quiet, longest = now + timeout, now + LONGEST * timeout
        while now < min(quiet, longest):
            known, found = len(found), search.wait(min(quiet, longest) - now, len(found) + 1)
            now = time.monotonic()
            if len(found) > known:  # on a busy machine or network, one answers much later than another
                quiet = now + timeout
        return found


def find_one(
    selector: StreamSelector, timeout: float, search: Search | None = None, table: str = ""
) -> pylsl.StreamInfo:
    """Find exactly one stream.

    Parameters
    ----------
    selector : StreamSelector
        Which stream to find.
    timeout : float
        Maximum wait in seconds.
    search : Search, optional
        A search for it that is already running.
    table : str
        Where the user can specify the stream further, for messages; empty if nowhere.

    Raises
    ------
    StreamError
        If none is found within ``timeout`` seconds, or more than one.
    """
    with search or Search(selector) as looking:
        found = looking.wait(timeout, at_least=1)
        while found and not (looking.settled or looking.given_up):  # one has answered: give a second one the chance to
            time.sleep(LOOK_S)
            found = looking.found() or found
        if not found and looking.given_up:
            raise StreamError(f"the search for an LSL stream with {selector} was ended")
    if not found:
        there = ", ".join(_named(i) for i in find_streams(StreamSelector(), 1.0)) or "none"
        raise StreamError(
            f"no LSL stream with {selector} within {timeout:g} s; streams on the network: {there}. "
            "Start the sender, or try 'earmark streams' and 'earmark doctor'"
        )
    if len(found) > 1:
        raise StreamError(f"more than one LSL stream with {selector}: {_told_apart(found, table)}")
    return found[0]


def lasting(source_id: str) -> str:
    """Return the source_id, or an empty text if pylsl generated it for one process."""
    return "" if _DRAWN.fullmatch(source_id) else source_id


def _named(info: pylsl.StreamInfo) -> str:
    return f"{info.name()!r} (type {info.type()!r}, host {info.hostname()!r})"


def _told_apart(found: Sequence[pylsl.StreamInfo], table: str) -> str:
    """Say how streams differ, and how to select one of them."""
    values = {
        "host": [i.hostname() for i in found],
        "source_id": [lasting(i.source_id()) for i in found],
        "name": [i.name() for i in found],
        "type": [i.type() for i in found],
    }
    keys = {key: those for key, those in values.items() if all(those) and len(set(those)) > 1}
    single = [key for key, those in keys.items() if len(set(those)) == len(found)][:1]
    which = "; ".join(f"{i.name()!r} from host {i.hostname()!r}, source_id {i.source_id()!r}" for i in found)
    if len(set(zip(*keys.values(), strict=True))) < len(found):
        return (
            f"{which}. Nothing that lasts tells them apart: stop one, or give each a source_id of its own where it "
            "is sent"
        )
    if not table:
        return f"{which}. Stop one, or give each a name of its own"
    by = single or list(keys)
    example = ", ".join(f'{key} = "{keys[key][0]}"' for key in by)
    return f"{which}. Name one by its {' and '.join(by)}: {example} in {table}"


def successor(
    lost: StreamDescription, found: Sequence[pylsl.StreamInfo], refused: Collection[str] = (), paused: bool = False
) -> tuple[pylsl.StreamInfo | None, str]:
    """Find the stream that replaces a lost one.

    It has the same name, type and host, and the same source_id. If none has the same source_id, a stream with another
    one, or with none, is accepted if everything else agrees: some senders set no lasting identity.

    Parameters
    ----------
    lost : StreamDescription
        Description of the lost stream.
    found : sequence of StreamInfo
        Streams that answer.
    refused : collection of str
        Uids of streams that were examined already and do not fit.
    paused : bool
        Whether the old stream is still connected but sends nothing.

    Returns
    -------
    info : StreamInfo or None
    why : str
        Why none of the streams with that name was accepted; empty if there is none.
    """
    old = [i for i in found if i.uid() == lost.uid]
    if old and not paused:
        return old[0], ""
    others = [i for i in found if i.uid() != lost.uid]
    alike = [i for i in others if (i.name() or "stream", i.type()) == (lost.spec.name, lost.type)]
    there = [i for i in alike if i.hostname() == lost.host]
    if alike and not there:
        hosts = " and ".join(sorted({repr(i.hostname()) for i in alike}))
        return None, f"a stream of that name is on host {hosts}, but this one was on {lost.host!r}: not taken"
    same = [i for i in there if i.source_id() == lost.source_id and lost.source_id]
    if old and not same:
        return None, ""  # it is still there and pauses
    chosen = [i for i in same or there if i.uid() not in refused]
    if len(chosen) > 1:
        ids = ", ".join(repr(i.source_id()) for i in chosen)
        return None, f"{len(chosen)} streams of that name are on host {lost.host!r} (source_id {ids}): stop all but one"
    return (chosen[0] if chosen else None), ""
