from .files.attended_file import read_attended
from .files.bids import find_recordings, read_bids
from .files.corpus import DaskCluster, InProcess, Processes, evaluate_corpus
from .files.decoder_folder import load_decoder, save_decoder
from .files.recorded_run import RunError
from .files.recording import Recording, RecordingError
from .files.recordings import open_recording
from .files.run_file import Talker, read_run, write_run
from .files.session_file import SessionFile
from .files.session_run import read_session_runs
from .files.speech_file import read_speech
from .files.xdf import XdfError
from .simulate.listener import Listener, ListenerConfig
from .simulate.recording import generate_recording
from .sources.fieldtrip import FieldTripSource
from .sources.lsl import Inlet, Outlet
from .sources.lsl_description import StreamDescription, StreamError
from .sources.lsl_search import StreamSelector, find_streams
from .sources.overrides import Overrides
from .sources.realtime_client import RealtimeClient, rt_epochs

__all__ = [
    "DaskCluster",
    "FieldTripSource",
    "InProcess",
    "Inlet",
    "Listener",
    "ListenerConfig",
    "Outlet",
    "Overrides",
    "Processes",
    "RealtimeClient",
    "Recording",
    "RecordingError",
    "RunError",
    "SessionFile",
    "StreamDescription",
    "StreamError",
    "StreamSelector",
    "Talker",
    "XdfError",
    "evaluate_corpus",
    "find_recordings",
    "find_streams",
    "generate_recording",
    "load_decoder",
    "open_recording",
    "read_attended",
    "read_bids",
    "read_run",
    "read_session_runs",
    "read_speech",
    "rt_epochs",
    "save_decoder",
    "write_run",
]
