"""Whether a replay gave what ran live, in words."""

from __future__ import annotations

from dataclasses import dataclass

from earmark.app.engine.environment import environment, version
from earmark.app.replay.verify import TOLERANCE, Replay
from earmark.app.terminal.exit_status import ExitStatus
from earmark.devices.files.session_file import SessionFile

#: Exit status where something differs, and where all is identical, but the recording ends before it should.
DIFFERENT, CUT_SHORT = ExitStatus.NO_MATCH, ExitStatus.CUT_SHORT


@dataclass(frozen=True)
class Verdict:
    """What is to be said.

    Attributes
    ----------
    status : int
        As of a command: 0, :data:`DIFFERENT` or :data:`CUT_SHORT`.
    words : str
        In one line.
    details : tuple of str
        What differs, or what is not as it was then.
    """

    status: int
    words: str
    details: tuple[str, ...] = ()


def changed(file: SessionFile) -> tuple[str, ...]:
    """What of machine and libraries is not as it was when a recording was made."""
    then, now = file.about.environment, environment()
    for part in file.about.parts:
        then, now = then | {part.package: part.version}, now | {part.package: version(part.package)}
    return tuple(f"{k}: {then.get(k)} then, {now[k]} now" for k in now if then.get(k) != now[k])


def uncovered(file: SessionFile) -> tuple[str, ...]:
    """Which bytes of a recording may be others than were written without anybody seeing it."""
    return (f"its last {file.unsealed} bytes are covered by no fingerprint",) if file.unsealed else ()


def assess(run: Replay, stopped: bool = False) -> Verdict:
    """Judge a replay that has ended.

    Parameters
    ----------
    run : Replay
        Of which :meth:`earmark.app.replay.verify.Replay.run` has come back.
    stopped : bool
        Whether somebody ended it before the recording did.
    """
    file, outputs = run.session, run.outputs
    if file.damage:
        return Verdict(DIFFERENT, "the recording is damaged: what it holds is not what ran live")
    if run.network is not None and run.network.n_wrong:
        words = f"{run.network.n_wrong} answers recorded of the network are not those of this decoder"
        return Verdict(DIFFERENT, words)
    if not any(c.n_digests for c in outputs.values()):
        if stopped:
            return Verdict(0, "nothing was compared: the replay was stopped before the first digest")
        return Verdict(DIFFERENT, "nothing to compare: the recording ended before its first digest")
    if all(c.identical or (c.n_digests == 0 and c.n_samples == 0) for c in outputs.values()):
        if stopped:
            return Verdict(0, "identical as far as it went, bit for bit: the replay was stopped")
        if file.whole:
            return Verdict(0, "identical: the replay gave the live output, bit for bit", uncovered(file))
        words = "identical as far as it goes, bit for bit: the recording was cut short"
        return Verdict(CUT_SHORT, words, (*uncovered(file), *([file.cut] if file.cut else [])))
    other = changed(file)
    if other and all(c.close for c in outputs.values() if c.n_compared):
        words = f"equal within {TOLERANCE:g} of the largest sample; not bit for bit, because:"
        return Verdict(0, words, other)
    wrong = []
    for name, c in outputs.items():
        if not c.identical and c.n_digests:
            where = "" if c.first_wrong is None else f", first at {c.first_wrong:.3f} s (LSL time)"
            wrong.append(f"{name} differs: {c.n_wrong} of {c.n_digests} digests not met{where}")
    words = "the replay is not what ran live" + ("" if other else ", on the same machine and versions")
    return Verdict(DIFFERENT, words, (*wrong, *other))
