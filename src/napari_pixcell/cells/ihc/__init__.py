"""IHC measurement: colour deconvolution, positive area, positive nuclei and H-score."""
