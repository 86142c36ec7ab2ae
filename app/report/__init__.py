"""Reports of recorded sessions: figures and HTML pages."""
