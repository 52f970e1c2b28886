"""Times the candidates of kernels in a child process, and remembers which one is fastest.

The compiler asks a `Choose` (compiler/tuning.py) and knows nothing of clocks; what is here imports both the
compiler and the runtime.
"""
