"""What an advertiser remembers of a resolved user, and the 41 features a policy sees of each opportunity."""
