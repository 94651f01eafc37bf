"""The sections of the dock, one file each."""
