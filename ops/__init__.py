"""What runs and ships Picket: engines, packages, deployment."""
