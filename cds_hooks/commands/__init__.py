"""The subcommands of ``tandem``, one module each. May know the application; no command knows another."""
