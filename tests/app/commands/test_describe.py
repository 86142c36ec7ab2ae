"""The settings that ``earmark describe`` shows, in the words of the session file."""

from installing import installed

from earmark.app.commands.describe import _place, _settings
from earmark.app.config.session import parse_config

SESSION = """
[streams.eeg]
source = "tcp"
port = 1234
[streams.speech]
name = "s"
[attention]
[attention.law]
type = "gentle"
help_db = 3
"""


def test_a_law_and_a_source_of_another_package_are_shown_by_their_keys(tmp_path):
    with installed(tmp_path):
        config = parse_config(SESSION, "session.toml")
        shown = _settings(config.attention.settings)
        assert "law = gentle (help_db = 3" in shown
        assert not any(word in shown for word in ("{", "None", "True", "False", "Config"))
        assert _place(config.streams["eeg"]) == "source 'tcp', host = 127.0.0.1, port = 1234"
        assert _place(config.streams["speech"]) == "name 's'"
