"""What an advertiser can observe of devices, and which of them it takes for one user."""
