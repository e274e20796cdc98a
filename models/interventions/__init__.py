"""What is done to a network: lesions, compression."""
