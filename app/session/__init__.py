"""A session with a listener: states, checks, tasks, questions, supervisor and command channel."""
