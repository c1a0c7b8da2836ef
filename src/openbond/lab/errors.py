"""The one error of the lab: a sentence that says what failed and what to do."""


class LabError(Exception):
    """The lab cannot do what was asked; the text is for the operator."""
