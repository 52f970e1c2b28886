"""The local compilation service: store, operations, dispatcher, runner. Heavy imports stay in its modules."""
