"""The page of a bond: how it is, its charts, its tests and tunings, what its node knows."""
