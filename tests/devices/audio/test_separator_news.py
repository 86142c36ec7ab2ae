from audio_scenes import mixture_scene

from earmark.devices.audio.control_block import Seqlock, Status
from earmark.devices.audio.separator_news import LATE_S, SeparatorNews


def test_a_fault_is_said_once_and_late_answers_once_a_minute():
    lock = Seqlock(Status)
    base, name = lock.value, "separator onnx:m.onnx"
    lock.close()
    news = SeparatorNews(mixture_scene(separator="onnx:m.onnx").scene)

    def said(now, late=0, fault=""):
        return list(news.of(base._replace(masks_late=late, separator=fault.encode()), now))

    assert said(0.0) == []
    assert said(100.0, 3) == [f"{name}: answers late: 3; the masks before them were used instead"]
    assert said(101.0, 8) == []
    fault = f"{name}: no answer in time; the masks of the embedded one are used, and it is tried again"
    assert said(102.0, 9, "no answer in time") == [fault]
    assert said(103.0, 9, "no answer in time") == []
    assert said(104.0, 9) == [f"{name} is in use again"]
    assert said(100.0 + LATE_S, 9) == [f"{name}: answers late: 6; the masks before them were used instead"]
    assert said(300.0, 0) == [], "a new process counts from zero"
    assert said(301.0, 1) == [f"{name}: answers late: 1; the masks before them were used instead"]
