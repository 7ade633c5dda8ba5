"""Schemas, loader and checks for the knowledge files beside this folder. Knows no HTTP and no patient."""
