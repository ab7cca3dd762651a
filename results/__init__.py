"""Keep what was measured and find it again: a journal while it runs, parquet once sealed."""
