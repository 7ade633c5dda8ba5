"""The ``tandem`` command itself: its table of sub-commands, its exit codes, and where a command reads a record from.
Loads a command only when it runs.
"""
