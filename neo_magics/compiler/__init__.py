"""From a model archive to a library: front ends, passes, schedules and the build.

Importing this package loads neither TVM nor a framework; its modules do.
"""
