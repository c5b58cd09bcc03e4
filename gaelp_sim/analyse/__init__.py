"""Commands on stored runs: what a finished run says, held against what is known."""
