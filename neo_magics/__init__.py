"""Compile the model in a notebook cell with Apache TVM, and measure it."""
