"""Pure functions of measured numbers: samples to summary, two series to comparison; warnings are values."""
