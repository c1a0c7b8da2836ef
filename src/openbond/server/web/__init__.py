"""The site: what an operator looks at, and works with. Stands above the API and uses its lists."""
