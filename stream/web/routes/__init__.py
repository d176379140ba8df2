"""The addresses of the API. Each module has a `router`; all of them make the application."""
