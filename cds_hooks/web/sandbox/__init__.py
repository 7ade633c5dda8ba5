"""The sandbox: an integration engineer makes a call as an EHR would, and sees what came of it and why.

Nothing is kept on the server: everything that a page has to remember stands in its form.
"""
