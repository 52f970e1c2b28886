"""The measured choice between the ways in which a kernel can be made, and what remembers it.

A `Workload` knows its `Candidate`s in the order of the model of registers and caches; `Choose` answers which
one is built. `tuner` times candidates in a child process, `database` keeps what it found.
"""
