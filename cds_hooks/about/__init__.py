"""What is applied and on which sources: the content of ``/about`` and its page."""
