"""The parts of `bench/run`: data sets, measuring, the tools, the rounds and the report."""
