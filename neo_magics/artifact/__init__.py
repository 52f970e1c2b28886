"""The compiled archive: its manifest, its files, packing and safe unpacking."""
