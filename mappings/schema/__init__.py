"""The shape of the knowledge: reads and checks the files beside this folder. Knows no HTTP and no patient."""
