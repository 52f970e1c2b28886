"""The CompilationJob contract: shapes, constraints, states, targets and log events. No I/O."""
