"""A live model, or a model file, as the archive that a compilation job takes."""

from neo_magics.capture.archive import ModelArchive, read_capture, read_example_inputs
from neo_magics.capture.registry import capture

__all__ = ["ModelArchive", "capture", "read_capture", "read_example_inputs"]
