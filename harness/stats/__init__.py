"""Pure functions: samples to a summary, two series to a comparison; warnings are values."""
