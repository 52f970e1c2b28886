"""Where runners run: the base class owns the queue and the dead, a backend only starts and cleans."""
