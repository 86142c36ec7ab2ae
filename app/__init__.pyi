from .config.session import Config, load_config
from .config.toml_file import ConfigError
from .replay.verify import Comparison, Replay
from .report.figures import SessionFigures
from .report.read_session import session_figures

__all__ = [
    "Comparison",
    "Config",
    "ConfigError",
    "Replay",
    "SessionFigures",
    "load_config",
    "session_figures",
]
