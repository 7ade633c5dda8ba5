"""The sandbox: a page on which an engineer makes calls as an EHR would."""
