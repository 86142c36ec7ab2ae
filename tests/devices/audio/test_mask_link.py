"""Masks that come through shared memory: in time, late, wrong, in another order."""

import numpy as np
import pytest
from audio_scenes import GLASSES, mixture_scene
from mask_models import helper, leaky, leaky_masks, save
from mixtures import mixture, spectra_of

from earmark.devices.audio.mask_link import SLOTS, MaskLink, RemoteMasks
from earmark.devices.audio.mask_model import Network
from earmark.devices.audio.mask_process import step
from earmark.devices.audio.places import acoustic_delay
from earmark.devices.audio.render import Renderer
from earmark.devices.audio.scene import AudioError, Control
from earmark.devices.audio.separation import link_for, make_separator, model_of
from earmark.pipeline.scene.separator import BeamMasks
from earmark.pipeline.scene.transform import Framing

FRAMING, TWO = Framing(16_000), np.array([-40.0, 30.0])
HELD = 25  # hops of 4 ms in 0.1 s


class Rig:
    """Both ends of a link: what the other end answers is given by a function, as many hops later as is asked."""

    def __init__(self, wait=2, late=None, directed=True):
        self.link = MaskLink(None, 6, 65, 2, wait, wait if late is None else late, directed)
        self.remote = RemoteMasks(MaskLink(self.link.name), BeamMasks(GLASSES, FRAMING, 2), 0)
        self.beams = BeamMasks(GLASSES, FRAMING, 2)

    def process(self, spectra, answer=None, directions=TWO):
        """Return masks of the remote, of the beams at that time; answer the hop after it was sent."""
        found = self.remote.process(spectra, directions).copy(), self.beams.process(spectra, directions).copy()
        if answer is not None:
            self.link.give(self.link.sent, answer)
        return found


@pytest.fixture(scope="module")
def spectra():
    return spectra_of(sum(mixture(GLASSES, TWO, 1.0)[0]))


def fixed(share):
    return np.tile(np.array([[share], [1 - share]], np.float32), (1, 65))


def test_answers_are_used_as_late_as_agreed(spectra):
    rig = Rig(wait=2)
    assert rig.remote.delay == 2 * FRAMING.hop
    found = [rig.process(one, fixed(k / 100))[0] for k, one in enumerate(spectra[:50])]
    for k in range(2, 50):
        np.testing.assert_allclose(found[k], fixed((k - 2) / 100), atol=1e-6)
    assert (rig.remote.n_late, rig.remote.n_wrong, rig.remote.fault) == (0, 0, "")


@pytest.mark.parametrize("answer", [None, fixed(np.nan), np.full((2, 65), np.inf, np.float32)])
def test_without_a_good_answer_the_last_masks_then_those_of_beams(spectra, answer):
    rig = Rig(wait=1)
    rig.process(spectra[0], fixed(0.25))
    rig.process(spectra[1], answer)
    last = None
    for k in range(2, HELD + 12):
        masks, beams = rig.process(spectra[k], answer)
        if k < 2 + HELD:
            np.testing.assert_allclose(masks, fixed(0.25), atol=1e-6)
            assert rig.remote.fault == ""
        else:
            np.testing.assert_array_equal(masks, last)
            assert rig.remote.fault == ("no answer in time" if answer is None else "its masks are not finite")
        last = beams
    late = HELD + 10
    assert (rig.remote.n_late, rig.remote.n_wrong) == ((late, 0) if answer is None else (0, late))
    rig.process(spectra[60], fixed(0.5))
    np.testing.assert_allclose(rig.process(spectra[61])[0], fixed(0.5), atol=1e-6)
    assert rig.remote.fault == ""


def test_an_answer_after_its_time_is_late(spectra):
    rig = Rig(wait=1)
    for k in range(6):
        rig.process(spectra[k])
        if k:
            rig.link.give(rig.link.sent - 1, fixed(0.25))  # one hop too late
    assert rig.remote.n_late == 5


def test_masks_sum_to_one_whatever_is_answered(spectra):
    rig, rng = Rig(wait=1), np.random.default_rng(0)
    for k in range(20):
        answer = rng.normal(0, 10, (2, 65)).astype(np.float32)
        answer[:, :5] = 0
        rig.process(spectra[k], answer)
        if k:
            masks = rig.process(spectra[k], answer)[0]
            np.testing.assert_allclose(masks.sum(axis=0), 1, atol=1e-6)
            assert masks.min() >= 0


def test_an_unused_place_has_no_mask_and_one_talker_none_of_the_answer(spectra):
    link = MaskLink(None, 6, 65, 3, 1, 1, True)
    remote = RemoteMasks(link, BeamMasks(GLASSES, FRAMING, 3), 0)
    for k in range(4):
        masks = remote.process(spectra[k], np.array([-40.0, np.nan, 30.0]))
        link.give(link.sent, np.full((3, 65), 0.3, np.float32))
    assert not masks[1].any()
    np.testing.assert_allclose(masks[[0, 2]], 0.5, atol=1e-6)
    for k in (4, 5):  # a hop later, as all masks
        masks = remote.process(spectra[k], np.array([-40.0, np.nan, np.nan]))
    np.testing.assert_allclose(masks, 1 / 3)


def test_answers_without_directions_are_assigned_by_agreement_with_beams():
    talkers = mixture(GLASSES, TWO, 2.0)[0]
    given, alone = spectra_of(talkers.sum(axis=0)), [np.abs(spectra_of(one)[:, 0]) ** 2 for one in talkers]
    oracle = np.stack(alone, axis=1) + 1e-9
    oracle = (oracle / oracle.sum(axis=1, keepdims=True)).astype(np.float32)
    for order in ([0, 1], [1, 0]):
        rig = Rig(wait=2, directed=False)
        found = np.array([rig.process(one, answer[order])[0] for one, answer in zip(given, oracle, strict=True)])
        np.testing.assert_allclose(found[150:], oracle[148:-2], atol=1e-5)


def test_a_far_look_ahead_is_waited_for(spectra):
    rig = Rig(wait=1, late=4)
    assert rig.remote.delay == 4 * FRAMING.hop
    beams = [rig.process(one)[1] for one in spectra[:10]]
    np.testing.assert_array_equal(rig.process(spectra[10])[0], beams[6])


def test_a_new_sound_process_goes_on_counting_and_says_that_it_is_new(spectra):
    rig = Rig(wait=1)
    for one in spectra[:5]:
        rig.process(one, fixed(0.25))
    assert rig.link.take(1)[2]
    assert not rig.link.take(2)[2]
    again = RemoteMasks(MaskLink(rig.link.name), BeamMasks(GLASSES, FRAMING, 2), 0)
    again.process(spectra[0], TWO)
    assert rig.link.sent == 6
    assert rig.link.take(6)[2]
    assert again.n_late == 0


def test_what_was_overwritten_is_not_taken(spectra):
    rig = Rig()
    for k in range(SLOTS + 5):
        rig.process(spectra[k])
    assert rig.link.take(2) is None
    spectrum, directions, _ = rig.link.take(SLOTS)
    np.testing.assert_array_equal(spectrum, spectra[SLOTS - 1])
    np.testing.assert_array_equal(directions, TWO.astype(np.float32))


# With a model


def onnx_scene(path, mics, **fields):
    return mixture_scene(mics, separator=f"onnx:{path}", **fields)


def steered(prepared, n, block=256, behind=0):
    """Render with the model stepped after each buffer; return sound, parts and the places."""
    model, data = model_of(prepared.scene)
    link = link_for(prepared.scene, model)
    network = Network(model, data, Framing(48_000))
    renderer, done = Renderer(prepared, link=MaskLink(link.name)), 0
    out, parts = [], []
    for _ in range(n // block):
        out.append(renderer.render(block, Control((6.0, -9.0))))
        parts.append(renderer.pcm.copy())
        while link.sent - behind > done:
            done = step(link, network, done)
    return np.concatenate(out), np.concatenate(parts, axis=1), renderer


def directed():
    nodes, inputs, outputs = leaky()
    nodes.append(helper.make_node("Identity", ["directions"], ["new_seen"]))
    return nodes, inputs | {"directions": (2,), "seen": (2,)}, outputs | {"new_seen": (2,)}


@pytest.mark.parametrize(("block", "hops"), [(128, 1), (192, 1), (256, 2), (1024, 6)])
def test_parts_are_those_of_the_reference_and_the_delay_is_declared(tmp_path, block, hops):
    mics = (0.1 * np.random.default_rng(0).standard_normal((6, 40_000))).astype(np.float32)
    prepared = onnx_scene(save(tmp_path / "m.onnx", *directed()), mics, block=block)
    n = 30_000 // block * block
    _, parts, renderer = steered(prepared, n, block)
    assert (renderer.places.watched.n_late, renderer.places.watched.fault) == (0, "")
    delay = 384 + 192 * hops
    assert acoustic_delay(prepared.scene)[0] == renderer.places.delay == delay
    framing = Framing(48_000)
    given = spectra_of(mics[:1, : n // 192 * 192], framing)[:, 0]
    masks = leaky_masks(given)
    shares = np.fft.irfft(masks * given[:, None], axis=2) * framing.taper
    wanted = np.zeros((2, len(given) * 192 + 192))
    for k, share in enumerate(shares):
        wanted[:, k * 192 : k * 192 + 384] += share
    # window k ends with hop k: it begins one hop before it, and parts leave a hop after they are complete
    m = n - delay
    np.testing.assert_allclose(parts[:, delay:], wanted[:, 192 : 192 + m], atol=2e-6)


def test_a_model_that_falls_behind_costs_separation_only(tmp_path):
    mics = (0.1 * np.random.default_rng(0).standard_normal((6, 40_000))).astype(np.float32)
    prepared = onnx_scene(save(tmp_path / "m.onnx", *directed()), mics)
    out, parts, renderer = steered(prepared, 30_000, behind=4)
    watched = renderer.places.watched
    assert watched.n_late > 100
    assert watched.fault == "no answer in time"
    assert np.isfinite(out).all()
    delay = renderer.places.delay
    np.testing.assert_allclose(parts.sum(axis=0)[delay:], mics[0, : parts.shape[1] - delay], atol=1e-5)


def test_what_cannot_be_is_refused(tmp_path):
    path = save(tmp_path / "m.onnx", *leaky())
    prepared = onnx_scene(path, np.zeros((6, 1000), np.float32), block=8192)
    with pytest.raises(AudioError, match=r"needs buffers of 6144 frames or fewer: set block in \[sound\]"):
        link_for(prepared.scene, model_of(prepared.scene)[0])
    with pytest.raises(AudioError, match="runs in a process of its own: play it by AudioEngine"):
        make_separator(prepared.scene, GLASSES)
