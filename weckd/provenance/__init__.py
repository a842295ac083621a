"""What a run was made of, as a Workflow Run RO-Crate, and whether it still is."""
