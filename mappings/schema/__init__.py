"""Models, loader and checks of the knowledge files. May know every one of these files; no patient and no HTTP."""
