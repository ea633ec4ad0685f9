"""Pure tests: no network, no subprocess but `sh`, seconds in all."""
