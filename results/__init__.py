"""Keep what was measured, ask it again, and sum it up; nothing here measures.

On the disk      store journal lines lock durable sealing storage/
Parquet parts    schema tables runs environments probes encoding migrations layout parts
What is there    catalog index listing quarantine intent upkeep/
Asking           sessions (one, whole), query nights views (all, through DuckDB), imports/
A case's row     cases clean figures measured row verdict export history
"""
