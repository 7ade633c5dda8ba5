"""How it is spoken: the CDS Hooks service, the command line and the pages. Imports the other two rooms."""
