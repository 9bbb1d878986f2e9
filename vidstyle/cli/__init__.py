"""The command line."""

#: What Ctrl-C ends a command with: exit code and sentence. Here, where nothing has to be loaded for it.
INTERRUPTED = 130
INTERRUPTION = "interrupted; nothing unfinished was left behind."
