"""The demonstration: handwritten digits and a small convolutional network, shipped with the package."""
