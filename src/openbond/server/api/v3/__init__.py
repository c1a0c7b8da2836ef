"""The resources of version 3: one module a noun; `urls.py` reads like the published table."""
