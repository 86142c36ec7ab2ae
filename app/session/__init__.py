"""A session with a listener: its states, tasks, questions, checks, supervisor and command channel."""
