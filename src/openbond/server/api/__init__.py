"""The REST API, version 3: authentication, content, errors and one module a resource in `v3/`."""
