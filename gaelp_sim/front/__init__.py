"""The Python front door: what `import gaelp_sim as gaelp` offers."""
