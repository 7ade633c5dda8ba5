"""The record of shown cards, feedback and rule counts. May know the answer to a call; stores nothing that identifies a
patient or a user.
"""
