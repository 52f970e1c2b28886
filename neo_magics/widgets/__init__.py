"""Panels: what a job and a comparison look like, live while they run and static HTML for ever after."""
