"""The pages of every resource: lists, objects, forms; declared in `table`, run by one engine."""
