"""The SMART app: launched from the chart, reads with the permissions of the user, keeps its tokens on the server. May
know pages and the dossier; no hook service and no other client.
"""
