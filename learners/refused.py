"""What the unpickler raises. In a file of its own, as all its parts do."""


class Refused(Exception):
    """A pickle holds what no model is made of. Nothing of that was looked up or run."""
