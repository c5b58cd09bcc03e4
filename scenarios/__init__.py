"""The scenarios that ship with gaelp-sim, one commented YAML file each."""
