"""Pages that people use: server-rendered, under a strict content security policy, with nothing from another origin."""
