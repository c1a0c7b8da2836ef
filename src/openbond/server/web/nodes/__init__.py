"""The pages of aggregators and bonders: what every object has, and how their machines begin."""
