"""What a suite will cost before it is run: fits, steps, hours of a device, bytes of disk."""
