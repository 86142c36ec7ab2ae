"""The verdict on a replay: whether it reproduced the live output, as text and exit status."""

from __future__ import annotations

from dataclasses import dataclass

from earmark.app.engine.environment import environment, version
from earmark.app.replay.verify import TOLERANCE, Replay
from earmark.app.terminal.exit_status import ExitStatus
from earmark.devices.files.session_file import SessionFile

#: Exit status if something differs, and if everything is identical but the recording was cut short.
DIFFERENT, CUT_SHORT = ExitStatus.NO_MATCH, ExitStatus.CUT_SHORT


@dataclass(frozen=True)
class Verdict:
    """The result of a replay.

    Attributes
    ----------
    status : int
        Exit status: 0, :data:`DIFFERENT` or :data:`CUT_SHORT`.
    words : str
        One line of text.
    details : tuple of str
        Differences of outputs, machine or libraries, one line each.
    """

    status: int
    words: str
    details: tuple[str, ...] = ()


def changed(file: SessionFile) -> tuple[str, ...]:
    """Return how machine and libraries differ from those of a recording, one line each."""
    then, now = file.about.environment, environment()
    for part in file.about.parts:
        then, now = then | {part.package: part.version}, now | {part.package: version(part.package)}
    return tuple(f"{k}: {then.get(k)} then, {now[k]} now" for k in now if then.get(k) != now[k])


def uncovered(file: SessionFile) -> tuple[str, ...]:
    """Return which bytes of a recording no fingerprint protects against changes, if any."""
    return (f"its last {file.unsealed} bytes are covered by no fingerprint",) if file.unsealed else ()


def assess(run: Replay, stopped: bool = False) -> Verdict:
    """Return the verdict on a replay that has ended, and on the envelopes if they were computed again.

    Parameters
    ----------
    run : Replay
        Its :meth:`earmark.app.replay.verify.Replay.run` has returned.
    stopped : bool
        Whether it was stopped before the end of the recording.
    """
    verdict = _of_outputs(run, stopped)
    if run.heard is not None and not run.heard.identical and verdict.status != DIFFERENT:
        other = changed(run.session)
        if not other or not run.heard.close:
            words = "the envelopes that were computed again from recorded sound are not those that were recorded"
            return Verdict(DIFFERENT, words, (run.heard_words, *other))
        return Verdict(verdict.status, verdict.words, (*verdict.details, *other))
    return verdict


def _of_outputs(run: Replay, stopped: bool) -> Verdict:
    file, outputs = run.session, run.outputs
    if file.damage:
        return Verdict(DIFFERENT, "the recording is damaged: it no longer holds what ran live")
    if run.network is not None and run.network.n_wrong:
        words = f"{run.network.n_wrong} recorded answers of the network are not those of this decoder"
        return Verdict(DIFFERENT, words)
    if not any(c.n_digests for c in outputs.values()):
        if stopped:
            return Verdict(0, "nothing was compared: the replay was stopped before the first digest")
        return Verdict(DIFFERENT, "nothing to compare: the recording ended before its first digest")
    if all(c.identical or (c.n_digests == 0 and c.n_samples == 0) for c in outputs.values()):
        if stopped:
            return Verdict(0, "identical, bit for bit, up to the point where the replay was stopped")
        if file.whole:
            return Verdict(0, "identical: the replay gave the live output, bit for bit", uncovered(file))
        words = "identical, bit for bit, up to the point where the recording was cut short"
        return Verdict(CUT_SHORT, words, (*uncovered(file), *([file.cut] if file.cut else [])))
    other = changed(file)
    if other and all(c.close for c in outputs.values() if c.n_compared):
        words = f"equal within {TOLERANCE:g} of the largest sample; not bit for bit, because:"
        return Verdict(0, words, other)
    wrong = []
    for name, c in outputs.items():
        if not c.identical and c.n_digests:
            where = "" if c.first_wrong is None else f", first at {c.first_wrong:.3f} s (LSL time)"
            wrong.append(f"{name} differs: {c.n_wrong} of {c.n_digests} digests do not match{where}")
    words = "the replay differs from the live output" + ("" if other else ", on the same machine and versions")
    return Verdict(DIFFERENT, words, (*wrong, *other))
