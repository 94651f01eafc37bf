"""One file for each library that opens slides."""
