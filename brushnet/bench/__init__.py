"""How fast this machine is: training, painting and loading, against a plain reference and what the device could do."""
