"""The commands: one file for each verb of the command line, imported by the command line alone."""
