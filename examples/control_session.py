"""Send commands to a running session: python examples/control_session.py SESSION_FOLDER.

This works for any session of the same user, including ``earmark demo``, whose first line of output names the folder.
"""

import argparse
from pathlib import Path

from earmark.app.session.channel import Client


def main(folder: Path) -> dict:
    """Lower the master volume by 6 dB, add a note to the recording, and return the state."""
    session = Client(folder)
    try:
        state = session.send("state")
        print(f"the session is {state['state']}")
        session.send("master", db=-6.0)
        session.send("note", text="6 dB down")
        return state
    finally:
        session.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of a session under way")
    main(parser.parse_args().folder)
