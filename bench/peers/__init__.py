"""The applications that are compared, each an ASGI ``app`` served by uvicorn with the same settings."""
