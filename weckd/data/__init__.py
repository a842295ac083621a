"""From a catalogue entry to one array, groups of images that belong together, and splits."""
