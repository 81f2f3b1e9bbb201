"""The sub-commands of `brushnet`: each file adds its arguments and runs them; heavy imports wait until then."""
