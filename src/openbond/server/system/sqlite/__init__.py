"""Django's SQLite with a line for writers: name this package as the ENGINE of a database."""
