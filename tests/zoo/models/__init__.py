"""One file per framework, with its `ENTRIES`; a new file here is found by itself.

Nothing is imported from a framework before an entry's `make` runs.
"""
