"""Our worlds as environments in the forms that agents know."""
