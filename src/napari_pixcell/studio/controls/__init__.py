"""Training of ControlNets of the user's own."""
