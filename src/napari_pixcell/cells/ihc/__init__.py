"""Measurement of IHC: colour deconvolution, positive area, nuclei and H-score."""
